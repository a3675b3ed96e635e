//! Sends again, above the client.

use tokio::time::Instant;

use super::Redis;
use super::error::Error;
use super::waits::Waits;

/// Leave to send again, for a caller that knows how to ask what became of a request whose answer
/// was lost: waits, and keeps what it and the tries take within the handle's time for retries.
///
/// ```no_run
/// use batchmq_redis::{Command, Error, Redis, Value};
///
/// /// Adds to a list, and looks there before it adds again.
/// async fn add(redis: &Redis, id: &str) -> Result<(), Error> {
///     let push = |redis: Redis| async move { redis.call(Command::new("RPUSH").arg("ids").arg(id)).await };
///     let mut replays = redis.replays();
///     let mut answer = push(redis.clone()).await;
///     while let Err(error) = &answer {
///         let Some(redis) = replays.next(error).await else { break };
///         let look = Command::new("LPOS").arg("ids").arg(id).replay_safe();
///         answer = match redis.call(look).await {
///             Ok(Value::Nil) => push(redis).await,
///             other => other,
///         };
///     }
///     answer.map(drop)
/// }
/// ```
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
