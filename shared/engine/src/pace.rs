//! Estimates how long a queue's jobs take, and how many of them make a batch that fits.

use std::time::Duration;

/// How long a batch should take at most: a slow one holds its jobs' locks, and hides for as long what
/// came meanwhile.
const LONGEST_BATCH: Duration = Duration::from_secs(5);

/// The shortest time in which a batch is begun: what does not get done in it would only go back.
const SHORTEST: Duration = Duration::from_millis(50);

/// How long a queue's jobs have taken so far in this tick.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Of a batch for each of its jobs.
    job: Duration,
    /// The last batch: its jobs, and how long it took.
    last: Option<(usize, Duration)>,
    /// Whether a smaller batch took no less: then its size is not what makes it slow.
    is_flat: bool,
}

impl Pace {
    /// Notes a batch. A slower one counts at once, and a quicker one by half: a slow job may come again.
    pub(crate) fn note(&mut self, jobs: usize, took: Duration) {
        if let Some((before, took_before)) = self.last.replace((jobs, took))
            && jobs * 4 <= before * 3
        {
            self.is_flat = took * 4 >= took_before * 3;
        }
        let each = took / u32::try_from(jobs).unwrap_or(u32::MAX).max(1);
        self.job = each.max((self.job + each) / 2);
    }

    /// Returns how many jobs, `most` at most, fit into half of the time that is `left`.
    pub(crate) fn jobs(&self, most: u32, left: Duration) -> u32 {
        let time = (left / 2).min(LONGEST_BATCH);
        match self.job.is_zero() || self.is_flat {
            true => most,
            false => (time.div_duration_f64(self.job) as u32).clamp(1, most.max(1)),
        }
    }

    /// Returns whether not even one job fits into the time that is `left`.
    pub(crate) fn is_late(&self, left: Duration) -> bool {
        let shortest = match self.last {
            Some((_, took)) if self.is_flat => took,
            _ => self.job,
        };
        left <= shortest.max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn batches_are_full_until_jobs_are_slow_or_time_is_short() {
        let mut pace = Pace::default();
        assert_eq!(pace.jobs(100, MINUTE), 100);
        pace.note(100, Duration::from_millis(60));
        assert_eq!(pace.jobs(100, MINUTE), 100);
        // 600 µs each: 50 ms of the 100 that are left.
        assert_eq!(pace.jobs(100, Duration::from_millis(100)), 83);
        pace.note(100, Duration::from_secs(20));
        assert_eq!(pace.jobs(100, MINUTE), 25);
        assert_eq!(pace.jobs(100, Duration::from_millis(300)), 1);
        // What is quicker again grows again.
        (0..10).for_each(|_| pace.note(25, Duration::from_millis(15)));
        assert_eq!(pace.jobs(100, MINUTE), 100);
    }

    #[test]
    fn batches_are_no_smaller_where_that_makes_them_no_quicker() {
        let mut pace = Pace::default();
        let always = Duration::from_secs(10);
        let mut jobs = 100;
        for _ in 0..3 {
            pace.note(jobs as usize, always);
            jobs = pace.jobs(100, MINUTE);
        }
        assert_eq!(jobs, 100);
        assert!(pace.is_late(always) && !pace.is_late(always + Duration::from_millis(1)));
        // Until a smaller one is quicker.
        pace.note(100, always);
        pace.note(10, Duration::from_secs(1));
        assert_eq!(pace.jobs(100, MINUTE), 44);
    }

    #[test]
    fn time_is_up_when_one_job_would_not_fit() {
        let mut pace = Pace::default();
        assert!(!pace.is_late(SHORTEST + Duration::from_millis(1)) && pace.is_late(SHORTEST));
        pace.note(10, Duration::from_secs(10));
        assert!(!pace.is_late(Duration::from_millis(1_001)));
        assert!(pace.is_late(Duration::from_secs(1)));
    }
}
