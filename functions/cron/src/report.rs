//! Says what a cron tick did.

use serde::{Deserialize, Serialize};
use shared::drops::Sent;

/// Why a tick stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoppedBecause {
    /// All projects were walked.
    #[default]
    Done,
    /// Its time was nearly up; the next tick goes on from here.
    Deadline,
    /// `CRON_MAX_WAITING` jobs wait already; the next tick goes on from here.
    HighWater,
    /// So much of `COMMAND_BUDGET` is spent that bulk has to wait; a tick after the month's end goes on from
    /// here.
    Budget,
    /// `ENABLE_CRON` is false.
    Disabled,
    /// Redis or Postgres failed; the next tick goes on from the last page that was finished.
    Error,
}

/// What a cron tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Projects that were due.
    pub projects: u64,
    /// New jobs.
    pub enqueued: u64,
    /// Projects for which a job waits or runs already.
    pub deduplicated: u64,
    /// Pages of projects read.
    pub pages: u64,
    /// Redis commands that Upstash bills, those inside scripts included.
    pub billed_commands: u64,
    /// Requests to Redis.
    pub round_trips: u64,
    /// How many commands of the month were spent, where it stopped for that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spent_commands: Option<u64>,
    /// Events of scores that fell, where any were sent.
    #[serde(flatten)]
    pub drops: Sent,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Why it stopped.
    pub stopped_because: StoppedBecause,
    /// What went wrong, when it stopped for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
