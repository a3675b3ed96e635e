//! Windows in which jobs gather that nobody waits for, so that the database behind the handler can sleep
//! between them.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use batchmq::clock::millis;

/// When jobs with a priority are taken: in the first tick of each window. Jobs without one are awaited, and
/// taken by every tick.
///
/// Windows begin at the multiples of their length since the Unix epoch, in UTC. So the clock alone tells
/// whether a boundary was crossed, which costs no command and needs nothing to be kept.
///
/// ```
/// use std::time::Duration;
///
/// use batchmq_engine::Patience;
///
/// let (window, every) = (Duration::from_secs(1_800), Duration::from_secs(60));
/// let patience = Patience { window, every };
/// let minute = 60_000;
/// assert!(patience.is_open(31 * minute, Some(29 * minute)));
/// assert!(!patience.is_open(33 * minute, Some(31 * minute)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long such jobs gather.
    pub window: Duration,
    /// How often ticks come.
    pub every: Duration,
}

impl Patience {
    /// Returns whether a tick at `now_ms` takes what has gathered, in milliseconds since the Unix epoch.
    ///
    /// `taken_ms` is until when this process has taken it: a boundary since then opens the gate, however
    /// late the tick comes. A process that remembers nothing goes by the time alone: it takes what has
    /// gathered if no tick before it need have crossed the boundary, which is so for the time between two
    /// ticks and, since schedules are not exact, half as long again.
    pub fn is_open(self, now_ms: i64, taken_ms: Option<i64>) -> bool {
        let window = self.window_ms();
        match taken_ms {
            Some(taken_ms) => now_ms.div_euclid(window) != taken_ms.div_euclid(window),
            None => {
                let every = i64::try_from(millis(self.every)).unwrap_or(i64::MAX);
                now_ms.rem_euclid(window) < every.saturating_add(every / 2)
            }
        }
    }

    /// The last moment before the window of `now_ms`.
    fn before_window(self, now_ms: i64) -> i64 {
        now_ms - now_ms.rem_euclid(self.window_ms()) - 1
    }

    /// A window of no length counts as a millisecond: every tick crosses a boundary.
    fn window_ms(self) -> i64 {
        i64::try_from(millis(self.window)).unwrap_or(i64::MAX).max(1)
    }
}

/// Until when this process has taken what gathered.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Milliseconds since the Unix epoch; [`NEVER`] before the first tick.
    taken_ms: AtomicI64,
}

const NEVER: i64 = i64::MIN;

impl Default for Gate {
    fn default() -> Self {
        Self { taken_ms: AtomicI64::new(NEVER) }
    }
}

impl Gate {
    /// Returns whether a tick that begins at `now_ms` takes what has gathered.
    pub(crate) fn is_open(&self, patience: Patience, now_ms: i64) -> bool {
        let taken_ms = self.taken_ms.load(Ordering::Relaxed);
        patience.is_open(now_ms, (taken_ms != NEVER).then_some(taken_ms))
    }

    /// Notes the end of a tick that began at `now_ms`. Where it was to take what had gathered and did not
    /// get to the end of it (`is_unfinished`), the next tick goes on.
    pub(crate) fn passed(&self, patience: Patience, now_ms: i64, is_unfinished: bool) {
        let taken_ms = if is_unfinished { patience.before_window(now_ms) } else { now_ms };
        self.taken_ms.store(taken_ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    /// A multiple of half an hour.
    const MIDNIGHT: i64 = 20_000 * 24 * 60 * MINUTE;
    const HALF_HOURS: Patience =
        Patience { window: Duration::from_secs(1_800), every: Duration::from_secs(60) };

    #[test]
    fn one_tick_a_window_takes_what_gathered_wherever_in_the_minute_ticks_come() {
        for second in [0, 1, 29, 30, 59] {
            let gate = Gate::default();
            let mut open = 0;
            for minute in 0..24 * 60 - 1 {
                // A schedule that is up to 20 seconds off.
                let jitter = (minute * 7_919) % 20_000;
                let now = MIDNIGHT + minute * MINUTE + second * 1_000 + jitter;
                open += i32::from(gate.is_open(HALF_HOURS, now));
                gate.passed(HALF_HOURS, now, false);
            }
            assert_eq!(open, 48, "at second {second}");
        }
    }

    #[test]
    fn a_boundary_that_no_tick_saw_opens_the_next_one_however_late() {
        let taken = Some(MIDNIGHT - 40 * MINUTE);
        assert!(HALF_HOURS.is_open(MIDNIGHT + 25 * MINUTE, taken));
        assert!(!HALF_HOURS.is_open(MIDNIGHT + 29 * MINUTE, Some(MIDNIGHT)));
        assert!(HALF_HOURS.is_open(MIDNIGHT + 30 * MINUTE, Some(MIDNIGHT)));
        // A clock that was set back.
        assert!(HALF_HOURS.is_open(MIDNIGHT - 1, Some(MIDNIGHT)));
    }

    #[test]
    fn a_new_process_goes_by_the_time_alone() {
        for (after_ms, open) in
            [(0, true), (59_999, true), (89_999, true), (90_000, false), (29 * MINUTE, false)]
        {
            assert_eq!(HALF_HOURS.is_open(MIDNIGHT + after_ms, None), open, "{after_ms} ms");
        }
        // The epoch itself, and what lies before it.
        assert!(HALF_HOURS.is_open(0, None));
        assert!(!HALF_HOURS.is_open(-1, None));
        assert!(HALF_HOURS.is_open(-30 * MINUTE, None));
    }

    #[test]
    fn what_was_begun_is_ended_in_the_ticks_that_follow() {
        let gate = Gate::default();
        for minute in 0..4 {
            let now = MIDNIGHT + minute * MINUTE;
            assert!(gate.is_open(HALF_HOURS, now), "minute {minute}");
            gate.passed(HALF_HOURS, now, minute < 3);
        }
        assert!(!gate.is_open(HALF_HOURS, MIDNIGHT + 4 * MINUTE));
    }

    #[test]
    fn no_length_is_too_short_or_too_long() {
        let none = Patience { window: Duration::ZERO, every: Duration::ZERO };
        assert!(none.is_open(2, Some(1)));
        let ever = Patience { window: Duration::MAX, every: Duration::MAX };
        assert!(ever.is_open(MIDNIGHT, None) && !ever.is_open(MIDNIGHT, Some(0)));
    }
}
