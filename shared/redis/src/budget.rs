//! Knows how much time there is: for a call, and for sending again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The share of the time left that may go into waits and replays (a fifth).
const RETRY_SHARE: u32 = 5;

/// Time limits of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To open a connection, TLS included.
    pub connect: Duration,
    /// From sending a request to the last byte of its answer.
    pub answer: Duration,
    /// For a whole call with its replays, when the handle has no deadline of its own.
    pub call: Duration,
    /// A connection that was not used for so long is replaced before its next use: the server or
    /// something on the way may have dropped it.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(10),
            call: Duration::from_secs(30),
            idle: Duration::from_secs(30),
        }
    }
}

/// A deadline, and what is left of a fifth of the time until then for waits and replays. All calls
/// of one handle draw on the same fifth.
#[derive(Debug)]
pub(super) struct Budget {
    deadline: Instant,
    retry_left: Mutex<Duration>,
}

impl Budget {
    /// The budget, from `now` on, of a handle or of one call that must be done by `deadline`.
    pub(super) fn new(now: Instant, deadline: Instant) -> Self {
        let left = deadline.saturating_duration_since(now);
        Self { deadline, retry_left: Mutex::new(left / RETRY_SHARE) }
    }

    /// Time left until the deadline.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    /// Starts the account of one call whose first try has just failed.
    pub(super) fn begin_retrying(self: &Arc<Self>, now: Instant) -> Retrying {
        let allowed = (self.left(now) / RETRY_SHARE).min(*self.retry_left());
        Retrying { budget: self.clone(), since: now, until: now + allowed }
    }

    fn retry_left(&self) -> MutexGuard<'_, Duration> {
        self.retry_left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spend(&self, time: Duration) {
        let mut left = self.retry_left();
        *left = left.saturating_sub(time);
    }
}

/// The time that one call spends on waits and replays; taken off the budget when dropped.
#[derive(Debug)]
pub(super) struct Retrying {
    budget: Arc<Budget>,
    since: Instant,
    until: Instant,
}

impl Retrying {
    /// When no more time may go into waits and replays of this call.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Time left for waits and replays of this call.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        self.budget.spend(self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_call_may_spend_a_fifth_of_the_time_left() {
        let now = Instant::now();
        let budget = Arc::new(Budget::new(now, now + seconds(50)));
        for (passed, allowed) in [(0, 10), (25, 5), (55, 0)] {
            let now = now + seconds(passed);
            assert_eq!(budget.begin_retrying(now).left(now), seconds(allowed));
        }
    }

    #[test]
    fn all_calls_of_a_handle_share_one_fifth() {
        let now = Instant::now();
        let budget = Arc::new(Budget::new(now, now + seconds(50)));
        for left in [10, 7, 4, 1, 0] {
            let off = budget.begin_retrying(now).left(now).abs_diff(seconds(left));
            assert!(off < Duration::from_millis(100), "{off:?} off {left} s");
            budget.spend(seconds(3));
        }
    }
}
