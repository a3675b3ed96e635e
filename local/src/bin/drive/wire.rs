//! The JSON lines that `drive` reads.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use shared::config::Events;
use shared::queue::{Ended as Finished, Settlement, State};

use super::job::{Job, Repeat};

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
        /// For how many minutes metrics are kept.
        #[serde(default)]
        metrics: u32,
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
        #[serde(deserialize_with = "state")]
        from: State,
        grace: u64,
        limit: Option<u64>,
    },
    Obliterate {
        force: bool,
    },
    /// Makes or changes a job scheduler; `template` is what its jobs are like.
    Schedule {
        id: String,
        repeat: Box<Repeat>,
        template: Box<Job>,
    },
    /// Ends a job scheduler.
    Unschedule {
        id: String,
    },
}

/// How a job ended.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    Completed,
    Failed,
}

impl From<End> for Finished {
    fn from(end: End) -> Self {
        match end {
            End::Completed => Self::Completed,
            End::Failed => Self::Failed,
        }
    }
}

/// A state, by BullMQ's name.
fn state<'de, D: Deserializer<'de>>(from: D) -> Result<State, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
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
