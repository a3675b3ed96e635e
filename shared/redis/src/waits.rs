//! Decides whether and when a request is sent again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::FullJitter;
use super::budget::{Budget, Retrying};
use super::error::Retry;

/// The waits between the tries of one request, within the time that may go into them.
#[derive(Debug)]
pub(super) struct Waits {
    budget: Arc<Budget>,
    backoff: FullJitter<fn() -> f64>,
    /// From the first failed try on.
    retrying: Option<Retrying>,
}

/// A wait after which there is time for another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// How long.
    pub(super) time: Duration,
    /// When the try after it has to end.
    pub(super) until: Instant,
    /// How long that try may take.
    pub(super) left: Duration,
}

impl Waits {
    /// Nothing has failed yet.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, backoff: FullJitter::between_tries(), retrying: None }
    }

    /// After a try that has just failed so that `retry` may be done; `None` when that is nothing,
    /// or when the wait would take all the time that is left.
    pub(super) fn next(&mut self, retry: Retry) -> Option<Wait> {
        let first = self.retrying.is_none();
        let time = match retry {
            Retry::Never => return None,
            // Most often the first socket after a freeze: a new one works at once.
            Retry::Now if first => Duration::ZERO,
            Retry::Now => self.backoff.next_wait(),
            Retry::After(asked) => self.backoff.next_wait().max(asked.unwrap_or_default()),
        };
        let now = Instant::now();
        let retrying = self.retrying.get_or_insert_with(|| self.budget.begin_retrying(now));
        let left = retrying.left(now).saturating_sub(time);
        (!left.is_zero()).then(|| Wait { time, until: retrying.until(), left })
    }
}

impl Wait {
    /// Lets it pass.
    pub(super) async fn pass(self) {
        if !self.time.is_zero() {
            tokio::time::sleep(self.time).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Duration = Duration::from_secs(1);

    /// The waits in milliseconds, at their longest, after tries that fail so, with 30 s to go: 6 s
    /// for the waits and the tries between them.
    fn waits(failures: &[Retry]) -> Vec<Option<u128>> {
        let now = Instant::now();
        let budget = Arc::new(Budget::new(now, now + Duration::from_secs(30)));
        let (base, cap) = (Duration::from_millis(50), Duration::from_secs(2));
        let backoff = FullJitter::new(base, cap, (|| 1.0) as fn() -> f64);
        let mut waits = Waits { budget, backoff, retrying: None };
        failures.iter().map(|retry| Some(waits.next(*retry)?.time.as_millis())).collect()
    }

    #[test]
    fn only_the_first_try_is_followed_at_once_and_only_when_its_connection_broke() {
        assert_eq!(waits(&[Retry::Now, Retry::Now]), [Some(0), Some(50)]);
        assert_eq!(waits(&[Retry::After(None), Retry::Now]), [Some(50), Some(100)]);
    }

    #[test]
    fn the_server_says_how_long_at_least() {
        let (asked, less) = (Retry::After(Some(ASKED)), Retry::After(Some(ASKED / 100)));
        assert_eq!(waits(&[asked, less, asked]), [Some(1_000), Some(100), Some(1_000)]);
    }

    #[test]
    fn no_wait_takes_all_the_time_that_is_left() {
        assert_eq!(waits(&[Retry::Never]), [None]);
        assert_eq!(waits(&[Retry::After(Some(ASKED * 5))]), [Some(5_000)]);
        assert_eq!(waits(&[Retry::After(Some(ASKED * 6))]), [None]);
    }
}
