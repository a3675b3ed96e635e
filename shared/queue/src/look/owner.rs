//! Tells who holds what: the job that stands for a deduplication id, and the owner of an active job.

use serde::Serialize;

use crate::answer::{lossy, text};
use crate::error::Error;
use crate::queue::Queue;
use batchmq_redis::{Command, Value};

/// The job that stands for a deduplication id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Holder {
    /// Its id. It may have ended or gone, where the id is held for a time.
    pub id: String,
    /// Whether another one with the id follows as soon as it has ended.
    pub is_followed: bool,
}

/// Whose an active job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Lock {
    /// The token of its owner.
    pub owner: String,
    /// Milliseconds until it runs out; `None`: never.
    pub left_ms: Option<u64>,
}

impl Queue {
    /// The job that stands for `deduplication_id`, if there is one. Two commands, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn holder(&self, deduplication_id: &str) -> Result<Option<Holder>, Error> {
        let key = |kind: &str| self.keys.of(&format!("{kind}:{deduplication_id}"));
        let [holder, followed] = self
            .pair(Command::new("GET").arg(key("de")), Command::new("EXISTS").arg(key("dn")))
            .await?;
        let is_followed = followed.as_int() == Some(1);
        Ok(holder.as_bytes().map(|id| Holder { id: text(id), is_followed }))
    }

    /// The lock on the job with this `id`, if there is one. Two commands, one round trip.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn lock(&self, id: &str) -> Result<Option<Lock>, Error> {
        let key = self.keys.of(&format!("{id}:lock"));
        let [owner, left] =
            self.pair(Command::new("GET").arg(key.clone()), Command::new("PTTL").arg(key)).await?;
        if owner == Value::Nil {
            return Ok(None);
        }
        // Negative where the key has no end.
        let left_ms = left.as_int().and_then(|ms| u64::try_from(ms).ok());
        Ok(Some(Lock { owner: lossy(&owner), left_ms }))
    }

    /// What two commands say of the same moment.
    async fn pair(&self, first: Command, second: Command) -> Result<[Value; 2], Error> {
        let commands = vec![first.replay_safe(), second.replay_safe()];
        let mut answers = self.redis.transaction(commands).await?.into_iter();
        let mut next = || answers.next().ok_or(Error::Protocol("EXEC"));
        Ok([next()??, next()??])
    }
}
