//! Decides how long to wait before sending again.

use std::time::Duration;

/// Exponential backoff with full jitter: before try `n` (from 0) it waits a random time between
/// zero and `base * 2^n`, never more than `cap`. Callers that failed together then come back
/// spread over the whole interval.
///
/// ```
/// use std::time::Duration;
///
/// use batchmq_redis::FullJitter;
///
/// let (base, cap) = (Duration::from_millis(50), Duration::from_secs(2));
/// let mut waits = FullJitter::new(base, cap, || 0.5);
/// assert_eq!([waits.next_wait(), waits.next_wait()].map(|wait| wait.as_millis()), [25, 50]);
/// ```
#[derive(Debug)]
pub struct FullJitter<R> {
    base: Duration,
    cap: Duration,
    tries: u32,
    random: R,
}

/// The first ceiling between the tries of a request.
const BASE: Duration = Duration::from_millis(50);
/// The last one.
const CAP: Duration = Duration::from_secs(2);

impl FullJitter<fn() -> f64> {
    /// The backoff between the tries of a request.
    pub(super) fn between_tries() -> Self {
        Self::new(BASE, CAP, rand::random::<f64>)
    }
}

impl<R: FnMut() -> f64> FullJitter<R> {
    /// `random` gives fractions in `[0, 1)`: [`rand::random`], or a fixed sequence in tests.
    pub fn new(base: Duration, cap: Duration, random: R) -> Self {
        Self { base, cap, tries: 0, random }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = 2u32
            .checked_pow(self.tries)
            .and_then(|factor| self.base.checked_mul(factor))
            .map_or(self.cap, |wait| wait.min(self.cap));
        self.tries = self.tries.saturating_add(1);
        ceiling.mul_f64((self.random)().clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let mut backoff = FullJitter::new(BASE, CAP, || 1.0);
        let waits: Vec<u128> = (0..8).map(|_| backoff.next_wait().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn the_jitter_is_full() {
        let mut fractions = [0.0, 0.5, 0.25].into_iter();
        let mut backoff = FullJitter::new(BASE, CAP, move || fractions.next().unwrap_or(0.0));
        let waits: Vec<u128> = (0..3).map(|_| backoff.next_wait().as_millis()).collect();
        assert_eq!(waits, [0, 50, 50]);
    }

    #[test]
    fn a_thousand_tries_do_not_overflow() {
        let mut backoff = FullJitter::new(BASE, CAP, || 1.0);
        assert!((0..1000).map(|_| backoff.next_wait()).all(|wait| wait <= CAP));
    }
}
