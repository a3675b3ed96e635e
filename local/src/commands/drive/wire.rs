//! The JSON lines that `deo drive` reads and writes.

use serde::{Deserialize, Serialize};
use shared::config::Events;
use shared::queue::schedule::Produced;
use shared::queue::{
    self, Backoff, ClaimStatus, ClaimedJob, Cleanable, Code, Deduplication, JobOptions, KeepJobs,
    NewJob, Outcome, Settlement,
};

/// One line in.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    /// Milliseconds since the epoch; without it the machine's clock counts.
    pub(super) now: Option<i64>,
    #[serde(flatten)]
    pub(super) op: Op,
}

/// What to do.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(super) enum Op {
    /// Which queue the lines that follow are about.
    Open {
        prefix: String,
        queue: String,
        events: Level,
        lock_ms: u64,
    },
    /// Adds jobs in one call.
    Enqueue {
        jobs: Vec<Job>,
        key: Option<String>,
    },
    /// Claims up to `count` jobs.
    Claim {
        count: u32,
    },
    /// Settles jobs of one claim, and then claims up to `next` jobs in the same call.
    Settle {
        claim: usize,
        jobs: Vec<Ended>,
        next: Option<u32>,
    },
    /// Renews the locks of jobs of one claim.
    Renew {
        claim: usize,
        ids: Vec<String>,
    },
    /// Gives jobs whose owner died back.
    Recover,
    Pause,
    Resume,
    /// Puts a finished job back to work.
    Retry {
        id: String,
        from: End,
    },
    RetryAll {
        from: End,
    },
    Promote {
        id: String,
    },
    PromoteAll,
    Remove {
        id: String,
    },
    /// Deletes jobs of a state older than `grace` ms, at most `limit`.
    Clean {
        from: State,
        grace: u64,
        limit: Option<u64>,
    },
    Obliterate {
        force: bool,
    },
}

/// How a job ended.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    Completed,
    Failed,
}

impl From<End> for queue::Ended {
    fn from(end: End) -> Self {
        match end {
            End::Completed => Self::Completed,
            End::Failed => Self::Failed,
        }
    }
}

/// A state that can be cleaned, by BullMQ's name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Completed,
    Failed,
    Delayed,
    Wait,
    Paused,
    Prioritized,
    Active,
}

impl From<State> for Cleanable {
    fn from(state: State) -> Self {
        match state {
            State::Completed => Self::Completed,
            State::Failed => Self::Failed,
            State::Delayed => Self::Delayed,
            State::Wait => Self::Wait,
            State::Paused => Self::Paused,
            State::Prioritized => Self::Prioritized,
            State::Active => Self::Active,
        }
    }
}

/// `ENABLE_QUEUE_EVENTS`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Off,
    Final,
    All,
}

impl From<Level> for Events {
    fn from(level: Level) -> Self {
        match level {
            Level::Off => Self::Off,
            Level::Final => Self::Final,
            Level::All => Self::All,
        }
    }
}

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
            }),
            remove_on_complete: opts.remove_on_complete.map(Into::into),
            remove_on_fail: opts.remove_on_fail.map(Into::into),
            timestamp_ms: opts.timestamp,
            telemetry: None,
        };
        Self { name: job.name, data: job.data, opts, promote_duplicate: job.promote }
    }
}

/// How one job ended.
#[derive(Debug, Deserialize)]
pub(super) struct Ended {
    pub(super) id: String,
    how: How,
    /// The return value as JSON text, or the reason.
    #[serde(default)]
    value: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Complete,
    Fail,
    Unrecoverable,
    Release,
}

impl From<&Ended> for Settlement {
    fn from(ended: &Ended) -> Self {
        let value = ended.value.clone();
        match ended.how {
            How::Complete => Self::Complete(value),
            How::Fail => Self::Failed(value),
            How::Unrecoverable => Self::Unrecoverable(value),
            How::Release => Self::Release,
        }
    }
}

/// One line out.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// It was not done.
    Error { error: String },
    /// It was refused as BullMQ refuses it.
    Refused { refused: String },
    /// It was done, and there is nothing to say.
    Done { ok: bool },
    /// What became of the jobs that were added.
    Added { added: Vec<AddedJob> },
    /// What was claimed, and what became of the batch before.
    Worked {
        #[serde(flatten)]
        settled: Option<Codes>,
        #[serde(flatten)]
        claimed: Option<Claimed>,
    },
    /// Ids: jobs whose lock was lost, or jobs given back.
    Ids { ids: Vec<String> },
}

#[derive(Debug, Serialize)]
pub(super) struct AddedJob {
    pub(super) id: String,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Codes {
    /// 0, or BullMQ's code.
    pub(super) codes: Vec<i64>,
    pub(super) requeued: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claimed {
    /// By what `settle` and `renew` name it.
    pub(super) claim: usize,
    pub(super) token: String,
    pub(super) jobs: Vec<ClaimedView>,
    pub(super) missing: Vec<String>,
    pub(super) schedules: Vec<Scheduled>,
    pub(super) unscheduled: Vec<String>,
    pub(super) status: &'static str,
    pub(super) wait_ms: Option<i64>,
    pub(super) next_due_ms: Option<i64>,
}

/// What became of the next job of the scheduler that made the job `id`, and its id.
#[derive(Debug, Serialize)]
pub(super) struct Scheduled {
    id: String,
    produced: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A claimed job, by the names that BullMQ's `Job` has for these.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClaimedView {
    id: String,
    name: String,
    data: String,
    timestamp: i64,
    priority: u32,
    attempts_made: u32,
    stalled_counter: u32,
    deduplication_id: Option<String>,
    parent_key: Option<String>,
    repeat_job_key: Option<String>,
    deferred_failure: Option<String>,
    stacktrace: Vec<String>,
}

impl From<&ClaimedJob> for ClaimedView {
    fn from(job: &ClaimedJob) -> Self {
        Self {
            id: job.id.clone(),
            name: job.name.clone(),
            data: job.data.clone(),
            timestamp: job.timestamp_ms,
            priority: job.priority,
            attempts_made: job.attempts_made,
            stalled_counter: job.stalled,
            deduplication_id: job.deduplication_id.clone(),
            parent_key: job.parent_key.clone(),
            repeat_job_key: job.scheduler_id.clone(),
            deferred_failure: job.deferred_failure.clone(),
            stacktrace: job.stacktrace.clone(),
        }
    }
}

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Added => "added",
        Outcome::Duplicate => "duplicate",
        Outcome::Deduplicated => "deduplicated",
        Outcome::AfterActive => "after-active",
    }
}

pub(super) fn produced((id, produced): (String, Produced)) -> Scheduled {
    let (produced, next) = match produced {
        Produced::Next(next) => ("next", Some(next)),
        Produced::Already(next) => ("already", Some(next)),
        Produced::Nothing => ("nothing", None),
    };
    Scheduled { id, produced, next: next.map(|next| next.job_id) }
}

pub(super) fn code(code: Code) -> i64 {
    match code {
        Code::Refused(code) => code,
        _ => 0,
    }
}

/// The word for a status, how long the limit holds, and when the next delayed job falls due.
pub(super) fn status(status: ClaimStatus) -> (&'static str, Option<i64>, Option<i64>) {
    match status {
        ClaimStatus::Claimed => ("claimed", None, None),
        ClaimStatus::Empty { next_due_ms } => ("empty", None, next_due_ms),
        ClaimStatus::Paused => ("paused", None, None),
        ClaimStatus::Full => ("full", None, None),
        ClaimStatus::Limited { wait_ms } => ("limited", Some(wait_ms), None),
    }
}
