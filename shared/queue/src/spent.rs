//! Counts how many billed commands a month has taken, as those who spend them tell.
//!
//! A key of our own a month, by the month's name in UTC. It lives for two months, so that the last
//! month can still be looked up.

use batchmq_redis::Command;

use crate::clock::to_iso8601;
use crate::error::Error;
use crate::queue::Queue;

/// How long a month's count lives from its first entry on: 62 days in seconds.
const MONTH_S: &str = "5356800";

/// Characters of an ISO 8601 date that name its month, as `2026-11`.
const MONTH_CHARS: usize = 7;

impl Queue {
    /// Adds `commands` to those of this month, and returns how many these are now. One command, which is
    /// counted with them; one more for the first entry of a month.
    ///
    /// It is not repeated when its answer is lost, so that a month's count is rather too low.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn spend(&self, commands: u64) -> Result<u64, Error> {
        let key = self.month_key();
        let added = commands.saturating_add(1);
        let add = Command::new("INCRBY").arg(key.clone()).arg(added.to_string());
        let total = self.redis.call(add).await?.as_int().ok_or(Error::Protocol("INCRBY"))?;
        let total = u64::try_from(total).map_err(|_| Error::Protocol("INCRBY"))?;
        if total == added {
            let expire = Command::new("EXPIRE").arg(key).arg(MONTH_S).replay_safe();
            self.redis.call(expire).await?;
        }
        Ok(total)
    }

    /// Returns how many commands of this month were counted; `None` where nobody counts. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn spent(&self) -> Result<Option<u64>, Error> {
        let answer =
            self.redis.call(Command::new("GET").arg(self.month_key()).replay_safe()).await?;
        Ok(answer.as_str().and_then(|total| total.parse().ok()))
    }

    fn month_key(&self) -> String {
        let today = to_iso8601(self.clock.now_ms());
        let month = today.get(..MONTH_CHARS).unwrap_or(&today);
        self.keys.own(&format!("spent-{month}"))
    }
}
