//! What `drive` answers, one line a request.

use serde::Serialize;
use shared::queue::schedule::Produced;
use shared::queue::{ClaimStatus, ClaimedJob, Code, Outcome};

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
    /// The job that a scheduler has put in place.
    Scheduled { scheduled: String },
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
