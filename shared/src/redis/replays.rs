//! Sending again, above the client.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Redis;
use super::backoff::FullJitter;
use super::budget::{Budget, Retrying};

/// Leave to send again, for a caller that knows how to ask what became of a request whose answer
/// was lost: waits, and keeps what it and the tries take within the handle's time for retries.
#[derive(Debug)]
pub struct Replays {
    redis: Redis,
    budget: Arc<Budget>,
    backoff: FullJitter<fn() -> f64>,
    retrying: Option<Retrying>,
}

impl Replays {
    pub(super) fn new(redis: &Redis) -> Self {
        Self {
            redis: redis.clone(),
            budget: redis.budget(),
            backoff: FullJitter::between_tries(),
            retrying: None,
        }
    }

    /// To be called after each lost answer: the handle for another try, at once after the first
    /// and after a wait from then on; `None` when no time is left for it.
    pub async fn next(&mut self) -> Option<Redis> {
        let now = Instant::now();
        let wait = match &self.retrying {
            None => Duration::ZERO,
            Some(_) => self.backoff.next_wait(),
        };
        let retrying = self.retrying.get_or_insert_with(|| self.budget.begin_retrying(now));
        if wait >= retrying.left(now) {
            return None;
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let left = !retrying.left(Instant::now()).is_zero();
        left.then(|| self.redis.until(retrying.until()))
    }
}
