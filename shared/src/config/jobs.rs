//! Says what the jobs have that we add.

use std::time::Duration;

use crate::clock::millis;
use crate::queue::{Backoff, JobOptions, KeepJobs};

/// How many finished jobs stay in Redis: at most `count`, none older than `age_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Seconds; `None` sets no bound.
    pub age_s: Option<u64>,
    /// Jobs; `None` sets no bound.
    pub count: Option<u64>,
}

impl From<Retention> for KeepJobs {
    fn from(Retention { age_s, count }: Retention) -> Self {
        Self::Bounded { count, age_s, limit: None }
    }
}

/// Attempts, backoff and retention of the jobs that we add.
#[derive(Clone, Debug)]
pub struct JobDefaults {
    /// Tries a job has in all.
    pub attempts: u32,
    /// The first delay of the exponential backoff.
    pub backoff: Duration,
    /// The part of a backoff that is random: 0 to 1.
    pub backoff_jitter: f64,
    /// Retention of completed jobs.
    pub keep_completed: Retention,
    /// Retention of failed jobs.
    pub keep_failed: Retention,
}

impl JobDefaults {
    /// Returns the same as a job's options.
    pub fn options(&self) -> JobOptions {
        JobOptions {
            attempts: self.attempts,
            backoff: Some(Backoff::Exponential {
                delay_ms: millis(self.backoff),
                jitter: Some(self.backoff_jitter).filter(|jitter| *jitter > 0.0),
            }),
            remove_on_complete: Some(self.keep_completed.into()),
            remove_on_fail: Some(self.keep_failed.into()),
            ..JobOptions::default()
        }
    }
}
