//! Keeps what was claimed for longer than a lock lives.

use std::time::Duration;

use serde::Serialize;

use crate::answer::strings;
use crate::clock::millis;
use crate::error::Error;
use crate::queue::Queue;
use crate::script::library::RENEW;

/// Locks a call at most: far below Lua's limit of arguments.
const MOST_LOCKS: usize = 1_000;

#[derive(Serialize)]
struct Args<'a> {
    token: &'a str,
    #[serde(rename = "lockMs")]
    lock_ms: u64,
    ids: &'a [String],
}

impl Queue {
    /// Gives the locks of jobs that were claimed under `token` their full time again; one round
    /// trip a chunk of 1,000. Answers the ids that are not ours any more: their results will be
    /// refused, so that working on them can stop.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn renew(&self, token: &str, ids: &[String]) -> Result<Vec<String>, Error> {
        self.renew_for(token, ids, self.options.lock).await
    }

    /// Lets the locks of jobs that were claimed under `token` live for `lock` from now on, as
    /// [`Queue::renew`] does for the queue's own time.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn renew_for(
        &self,
        token: &str,
        ids: &[String],
        lock: Duration,
    ) -> Result<Vec<String>, Error> {
        let mut lost = Vec::new();
        for ids in ids.chunks(MOST_LOCKS) {
            let mut keys = vec![self.keys.of("stalled")];
            keys.extend(ids.iter().map(|id| self.keys.of(&format!("{id}:lock"))));
            let lock_ms = millis(lock);
            let answer = self.run(&RENEW, &keys, |_| Args { token, lock_ms, ids }).await?;
            match answer.as_slice() {
                [gone] => lost.extend(strings(gone).ok_or(Error::Protocol(RENEW.name))?),
                _ => return Err(Error::Protocol(RENEW.name)),
            }
        }
        Ok(lost)
    }
}
