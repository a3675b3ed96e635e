//! Writes a request to recompute one project's score as a job.

use std::time::Duration;

use super::data::{JobData, Reason};
use crate::clock::millis;
use crate::queue::{Deduplication, JobOptions, NewJob, QueueOptions};

/// BullMQ's name of our jobs.
pub const JOB_NAME: &str = "deo_score_recompute";

/// The priority of the nightly recompute; manual requests have none and go first.
pub const SCHEDULED_PRIORITY: u32 = 10;

/// The job that recomputes one project: deduplicated by the project's id, retried with backoff,
/// kept as `options` say by default. A scheduled one stands behind all others; any other one moves a waiting
/// duplicate to the front.
pub fn recompute_job(data: &JobData, options: &QueueOptions) -> NewJob {
    let scheduled = data.reason == Reason::Scheduled;
    NewJob {
        name: JOB_NAME.to_owned(),
        data: data.to_json(),
        opts: JobOptions {
            priority: if scheduled { SCHEDULED_PRIORITY } else { 0 },
            deduplication: Some(Deduplication {
                id: data.project_id.to_string(),
                keep_last_if_active: true,
                ..Deduplication::default()
            }),
            ..options.default_job_options.clone()
        },
        promote_duplicate: !scheduled,
    }
}

/// When a job is to run, and for how long it stands for later requests for its project.
///
/// Without a window a job stands for later requests until it has ended. With one it does so for just
/// that time, even after it has ended, and whatever those requests say about windows themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The job waits so long before its turn.
    pub delay: Duration,
    /// The window, from the request on.
    pub window: Option<Duration>,
    /// A request that meets another's job begins the window anew.
    pub extend: bool,
    /// A request that meets a delayed job takes its place.
    pub replace: bool,
}

impl Timing {
    /// The longest delay and the longest window: 30 days.
    pub const LONGEST: Duration = Duration::from_hours(30 * 24);

    /// Whether there is nothing in it that contradicts itself or goes beyond its bounds.
    pub fn is_valid(&self) -> bool {
        let window = match self.window {
            Some(window) => window >= Duration::from_millis(1) && window <= Self::LONGEST,
            None => !self.extend,
        };
        window && self.delay <= Self::LONGEST
    }

    /// Gives `job` this timing.
    pub fn apply(&self, job: &mut NewJob) {
        job.opts.delay_ms = millis(self.delay);
        // Whoever asks for a delay asks for nobody's job at once.
        job.promote_duplicate &= self.delay.is_zero();
        if let Some(deduplication) = &mut job.opts.deduplication {
            deduplication.ttl_ms = self.window.map(millis);
            deduplication.extend = self.extend;
            deduplication.replace = self.replace;
            // Its key never expires by itself, so that it goes with no window.
            deduplication.keep_last_if_active &= self.window.is_none();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timing_is_bounded_and_extends_no_window_that_it_does_not_have() {
        let hour = Some(Duration::from_hours(1));
        let over = Timing::LONGEST + Duration::from_millis(1);
        for good in [
            Timing::default(),
            Timing { delay: Timing::LONGEST, window: Some(Timing::LONGEST), ..Timing::default() },
            Timing { window: hour, extend: true, replace: true, ..Timing::default() },
            Timing { replace: true, ..Timing::default() },
        ] {
            assert!(good.is_valid(), "{good:?}");
        }
        for bad in [
            Timing { delay: over, ..Timing::default() },
            Timing { window: Some(over), ..Timing::default() },
            Timing { window: Some(Duration::ZERO), ..Timing::default() },
            Timing { extend: true, ..Timing::default() },
        ] {
            assert!(!bad.is_valid(), "{bad:?}");
        }
    }
}
