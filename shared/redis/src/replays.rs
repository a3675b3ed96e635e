//! Sending again, above the client.

use tokio::time::Instant;

use super::Redis;
use super::error::Error;
use super::waits::Waits;

/// Leave to send again, for a caller that knows how to ask what became of a request whose answer
/// was lost: waits, and keeps what it and the tries take within the handle's time for retries.
#[derive(Debug)]
pub struct Replays {
    redis: Redis,
    waits: Waits,
}

impl Replays {
    pub(super) fn new(redis: &Redis) -> Self {
        Self { redis: redis.clone(), waits: Waits::new(redis.budget()) }
    }

    /// To be called with the error of each try that brought no answer: the handle for another try,
    /// after the wait that a replay-safe command would have had; `None` when no time is left for
    /// that, or when no other try would change the error.
    pub async fn next(&mut self, error: &Error) -> Option<Redis> {
        let wait = self.waits.next(error.replay)?;
        wait.pass().await;
        (Instant::now() < wait.until).then(|| self.redis.until(wait.until))
    }
}
