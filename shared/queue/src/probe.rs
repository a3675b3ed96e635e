//! Finding out whether Redis takes writes.

use batchmq_redis::Command;

use crate::error::Error;
use crate::queue::Queue;

/// How long what was written lives: ten seconds. Nobody reads it.
const PROBE_S: &str = "10";

impl Queue {
    /// Writes a key of our own that goes by itself after ten seconds: whether Redis takes writes again, for whom it
    /// has refused one before. One command.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn probe(&self) -> Result<(), Error> {
        let set = Command::new("SET").arg(self.keys.own("probe")).arg("").arg("EX").arg(PROBE_S);
        self.redis.call(set.replay_safe()).await?;
        Ok(())
    }
}
