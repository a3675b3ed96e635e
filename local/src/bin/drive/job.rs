//! A job as `drive` is told of it: with BullMQ's own options.

use serde::Deserialize;
use shared::queue::schedule::{Rule, Scheduler};
use shared::queue::{Backoff, Deduplication, JobOptions, KeepJobs, NewJob};

/// A job to be added, with BullMQ's options.
#[derive(Debug, Deserialize)]
pub(super) struct Job {
    name: String,
    /// JSON text.
    data: String,
    #[serde(default)]
    opts: Opts,
    #[serde(default)]
    promote: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Opts {
    job_id: Option<String>,
    priority: u32,
    delay: u64,
    attempts: u32,
    backoff: Option<BackoffForm>,
    lifo: bool,
    deduplication: Option<Dedup>,
    remove_on_complete: Option<Keep>,
    remove_on_fail: Option<Keep>,
    timestamp: Option<i64>,
    size_limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum BackoffForm {
    Fixed { delay: u64, jitter: Option<f64> },
    Exponential { delay: u64, jitter: Option<f64> },
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Dedup {
    id: String,
    ttl: Option<u64>,
    extend: bool,
    replace: bool,
    keep_last_if_active: bool,
    reschedule: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Keep {
    Switch(bool),
    Bounds { count: Option<u64>, age: Option<u64>, limit: Option<u64> },
}

impl From<Keep> for KeepJobs {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::Switch(true) => Self::None,
            Keep::Switch(false) => Self::All,
            Keep::Bounds { count, age, limit } => Self::Bounded { count, age_s: age, limit },
        }
    }
}

impl From<Job> for NewJob {
    fn from(job: Job) -> Self {
        let opts = job.opts;
        let opts = JobOptions {
            job_id: opts.job_id,
            priority: opts.priority,
            delay_ms: opts.delay,
            attempts: opts.attempts,
            backoff: opts.backoff.map(|backoff| match backoff {
                BackoffForm::Fixed { delay, jitter } => Backoff::Fixed { delay_ms: delay, jitter },
                BackoffForm::Exponential { delay, jitter } => {
                    Backoff::Exponential { delay_ms: delay, jitter }
                }
            }),
            lifo: opts.lifo,
            deduplication: opts.deduplication.map(|d| Deduplication {
                id: d.id,
                ttl_ms: d.ttl,
                extend: d.extend,
                replace: d.replace,
                keep_last_if_active: d.keep_last_if_active,
                reschedule: d.reschedule,
            }),
            remove_on_complete: opts.remove_on_complete.map(Into::into),
            remove_on_fail: opts.remove_on_fail.map(Into::into),
            timestamp_ms: opts.timestamp,
            telemetry: None,
            size_limit: opts.size_limit,
        };
        Self { name: job.name, data: job.data, opts, promote_duplicate: job.promote }
    }
}

/// When a scheduler's jobs are due, by BullMQ's names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Repeat {
    pattern: Option<String>,
    tz: Option<String>,
    immediately: bool,
    every: u64,
    offset: u64,
    limit: Option<u64>,
    start_date: Option<i64>,
    end_date: Option<i64>,
}

/// A scheduler out of its rule and the template of its jobs.
pub(super) fn scheduler(id: String, repeat: Repeat, template: Job) -> Scheduler {
    let NewJob { name, data, opts, .. } = template.into();
    let rule = match repeat.pattern {
        Some(pattern) => Rule::Pattern { pattern, tz: repeat.tz, immediately: repeat.immediately },
        None => Rule::Every { every_ms: repeat.every, offset_ms: repeat.offset },
    };
    let (start_ms, end_ms) = (repeat.start_date, repeat.end_date);
    Scheduler { id, name, data, opts, rule, limit: repeat.limit, start_ms, end_ms }
}
