//! Finding out whether Redis takes writes.

use batchmq_redis::Command;

use crate::error::Error;
use crate::queue::Queue;

/// How long what was written lives: a second in milliseconds. Nobody reads it.
const PROBE_MS: &str = "1000";

impl Queue {
    /// Writes a key of our own that goes by itself after a second: whether Redis takes writes again, for whom it
    /// has refused one before. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn probe(&self) -> Result<(), Error> {
        let set = Command::new("SET").arg(self.keys.own("probe")).arg("").arg("PX").arg(PROBE_MS);
        self.redis.call(set.replay_safe()).await?;
        Ok(())
    }
}
