//! A server in the simulation: so many at once, in the order in which they come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds since the night's beginning.
pub(super) type Moment = u64;

/// One or more servers with one line before them.
#[derive(Debug)]
pub(super) struct Station {
    /// When each of them is free.
    free: BinaryHeap<Reverse<Moment>>,
    /// The part of a core that each of them is.
    speed: f64,
    /// Microseconds in which one of them worked.
    pub(super) busy: u64,
}

impl Station {
    /// Returns a station with `cores`: whole ones side by side, or one that is slower.
    pub(super) fn of(cores: f64) -> Self {
        let count = cores.floor().max(1.0);
        let free = (0..count as usize).map(|_| Reverse(0)).collect();
        Self { free, speed: cores / count, busy: 0 }
    }

    /// Serves what comes at `at` and takes so many milliseconds of a core; returns when it is done.
    pub(super) fn serve(&mut self, at: Moment, ms: f64) -> Moment {
        let Reverse(free) = self.free.pop().unwrap_or(Reverse(0));
        let takes = (ms * 1_000.0 / self.speed) as u64;
        let done = free.max(at) + takes;
        self.free.push(Reverse(done));
        self.busy += takes;
        done
    }

    /// Returns the part of the time until `end` in which it worked.
    pub(super) fn load(&self, end: Moment) -> f64 {
        self.busy as f64 / (end.max(1) as f64 * self.free.len() as f64)
    }
}

/// At most so many commands in a second, as a provider counts them.
#[derive(Debug)]
pub(super) struct Meter {
    most: f64,
    second: u64,
    used: f64,
    /// Requests that had to wait for the next second.
    pub(super) refused: u64,
    /// The most in one second.
    pub(super) peak: f64,
}

impl Meter {
    /// Returns a meter that lets so many through in a second.
    pub(super) fn of(most: f64) -> Self {
        Self { most, second: 0, used: 0.0, refused: 0, peak: 0.0 }
    }

    /// Lets `commands` through that come at `at`, not before any that came earlier.
    ///
    /// # Errors
    /// When to ask again: they do not fit into this second. What no second has room for gets one of its
    /// own.
    pub(super) fn pass(&mut self, at: Moment, commands: f64) -> Result<(), Moment> {
        let second = at / 1_000_000;
        if second > self.second {
            (self.second, self.used) = (second, 0.0);
        }
        if self.used > 0.0 && self.used + commands > self.most {
            self.refused += 1;
            return Err((second + 1) * 1_000_000);
        }
        self.used += commands;
        self.peak = self.peak.max(self.used);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_serves_as_many_at_once_as_it_has_cores() {
        let mut two = Station::of(2.0);
        assert_eq!(
            [two.serve(0, 1.0), two.serve(0, 1.0), two.serve(0, 1.0)],
            [1_000, 1_000, 2_000]
        );
        let mut quarter = Station::of(0.25);
        assert_eq!([quarter.serve(0, 1.0), quarter.serve(0, 1.0)], [4_000, 8_000]);
        assert!((quarter.load(8_000) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_does_not_fit_into_a_second_waits_for_the_next() {
        let mut meter = Meter::of(100.0);
        assert_eq!(meter.pass(10, 60.0), Ok(()));
        assert_eq!(meter.pass(20, 60.0), Err(1_000_000));
        assert_eq!(meter.pass(30, 30.0), Ok(()));
        assert_eq!(meter.pass(1_000_000, 60.0), Ok(()));
        assert_eq!(meter.pass(2_500_000, 200.0), Ok(()), "alone in its second");
        assert_eq!((meter.refused, meter.peak), (1, 200.0));
    }
}
