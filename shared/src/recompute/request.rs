//! A request to recompute one project's score, as a job.

use serde::{Deserialize, Serialize};

use crate::config::QueueConfig;
use crate::queue::{Deduplication, JobOptions, NewJob};

/// BullMQ's name of our jobs.
pub const JOB_NAME: &str = "deo_score_recompute";

/// The priority of the nightly recompute; manual requests have none and go first.
pub const SCHEDULED_PRIORITY: u32 = 10;

/// Why a recompute was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A person asked.
    #[default]
    Manual,
    /// The nightly recompute.
    Scheduled,
    /// New data came in.
    AfterImport,
}

/// A job's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobData {
    /// The project to score.
    pub project_id: String,
    /// Who asked; `None` for the nightly recompute.
    pub triggered_by_user_id: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// A job's return value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// The project that was scored.
    pub project_id: String,
    /// The row of `"DeoScoreSnapshot"`.
    pub snapshot_id: String,
}

/// The job that recomputes one project: deduplicated by the project's id, retried with backoff,
/// kept as `config` says. A scheduled one stands behind all others; any other one moves a waiting
/// duplicate to the front.
pub fn recompute_job(data: &JobData, config: &QueueConfig) -> NewJob {
    let scheduled = data.reason == Reason::Scheduled;
    NewJob {
        name: JOB_NAME.to_owned(),
        data: serde_json::json!(data).to_string(),
        opts: JobOptions {
            priority: if scheduled { SCHEDULED_PRIORITY } else { 0 },
            deduplication: Some(Deduplication {
                id: data.project_id.clone(),
                keep_last_if_active: true,
                ..Deduplication::default()
            }),
            ..JobOptions::usual(config)
        },
        promote_duplicate: !scheduled,
    }
}
