//! What a tick did.

use batchmq::{Code, Counts};
use serde::{Deserialize, Serialize};

use crate::counters::Counters;

/// Why a tick stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoppedBecause {
    /// Nothing is left to claim. Jobs delayed into the future do not count.
    #[default]
    Empty,
    /// Its time was nearly up.
    Deadline,
    /// The queue is paused.
    Paused,
    /// As many jobs are active as the queue's concurrency allows.
    Full,
    /// As many jobs have started as a rate limit allows, and it is not over before the tick's time is
    /// nearly up; [`Report::limited_ms`] says when it is.
    Limited,
    /// What is left could not be done now, and was put off.
    Held,
    /// Ticks are switched off ([`TickOptions::enabled`](crate::TickOptions)).
    Disabled,
    /// Redis or the handler failed; the claims went back if Redis could be reached.
    Error,
}

impl StoppedBecause {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::Deadline,
        Self::Paused,
        Self::Full,
        Self::Limited,
        Self::Held,
        Self::Disabled,
        Self::Error,
    ];
}

/// Jobs that a tick left in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remaining {
    /// In `wait`, `paused` included.
    pub waiting: u64,
    /// In `prioritized`.
    pub prioritized: u64,
    /// In `delayed`.
    pub delayed: u64,
    /// In `active`: other peers' jobs, or those of an owner that died.
    pub active: u64,
}

impl From<Counts> for Remaining {
    fn from(counts: Counts) -> Self {
        Self {
            waiting: counts.wait + counts.paused,
            prioritized: counts.prioritized,
            delayed: counts.delayed,
            active: counts.active,
        }
    }
}

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Jobs claimed.
    pub claimed: u64,
    /// Jobs completed.
    pub completed: u64,
    /// Jobs failed for good.
    pub failed: u64,
    /// Jobs that failed and wait for another try.
    pub retried: u64,
    /// Jobs given back without an attempt counted.
    pub released: u64,
    /// Jobs that somebody else goes on with, and that are still active.
    #[serde(default)]
    pub kept: u64,
    /// Jobs whose result was dropped because they were not ours any more, or could not be settled.
    pub lost: u64,
    /// Ids that stood in the queue without a job behind them, dropped.
    pub missing: u64,
    /// Jobs of schedulers whose next one could not be put in place, left alone until they stall, and
    /// schedulers whose next job is gone and could not be put back.
    pub unscheduled: u64,
    /// Next jobs of schedulers that were gone, put back.
    #[serde(default)]
    pub rescheduled: u64,
    /// Jobs of owners that died, given back to the queue.
    pub recovered: u64,
    /// Batches.
    pub batches: u64,
    /// Redis commands that Upstash bills, those inside scripts included.
    pub billed_commands: u64,
    /// Requests to Redis.
    pub round_trips: u64,
    /// Jobs left in each state. Absent when Redis could not be asked.
    pub remaining: Option<Remaining>,
    /// How long the job had waited that waited longest: milliseconds, of those the tick claimed or
    /// found waiting.
    pub oldest_waiting_ms: Option<i64>,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Milliseconds from claim to settlement of the batch that took longest.
    #[serde(default)]
    pub batch_ms: u64,
    /// Why it stopped.
    pub stopped_because: StoppedBecause,
    /// Milliseconds until the rate limit that held it back is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limited_ms: Option<u64>,
    /// What went wrong, when it stopped for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the handler counted; its counts stand beside the other fields.
    #[serde(flatten)]
    pub counters: Counters,
}

impl Report {
    /// Counts what Redis said to a batch's settlements.
    pub(crate) fn count(&mut self, codes: &[Code]) {
        for code in codes {
            *match code {
                Code::Completed => &mut self.completed,
                Code::Failed => &mut self.failed,
                Code::Retried => &mut self.retried,
                Code::Released => &mut self.released,
                Code::Kept => &mut self.kept,
                Code::Refused(_) => &mut self.lost,
            } += 1;
        }
    }

    /// Notes a job that was added at `timestamp_ms` and waits or waited until `now_ms`.
    pub(crate) fn waited(&mut self, timestamp_ms: i64, now_ms: i64) {
        let age = now_ms.saturating_sub(timestamp_ms).max(0);
        self.oldest_waiting_ms = Some(self.oldest_waiting_ms.unwrap_or(0).max(age));
    }
}
