//! Says what a tick did.

use std::collections::BTreeMap;

use batchmq::{Code, Counts, Hold};
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
    /// Only jobs are left that gather until the next window ([`Patience`](crate::Patience)).
    Gathering,
    /// Ticks are switched off ([`TickOptions::enabled`](crate::TickOptions)).
    Disabled,
    /// Redis or the handler failed; the claims went back if Redis could be reached.
    Error,
}

impl StoppedBecause {
    /// Each of them.
    pub const ALL: [Self; 9] = [
        Self::Empty,
        Self::Deadline,
        Self::Paused,
        Self::Full,
        Self::Limited,
        Self::Held,
        Self::Gathering,
        Self::Disabled,
        Self::Error,
    ];

    /// Of the ends of two queues, the one that is more in the way.
    fn or(self, other: Self) -> Self {
        let rank = |reason: Self| match reason {
            Self::Empty => 0,
            Self::Disabled | Self::Gathering => 1,
            Self::Paused => 2,
            Self::Full => 3,
            Self::Limited => 4,
            Self::Held => 5,
            Self::Deadline => 6,
            Self::Error => 7,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// Jobs that a tick left in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Remaining {
    /// In `wait`, `paused` included.
    pub waiting: u64,
    /// In `prioritized`.
    pub prioritized: u64,
    /// In `delayed`; `None` where nothing is left but such jobs, which were not counted.
    pub delayed: Option<u64>,
    /// In `active`: other peers' jobs, or those of an owner that died.
    pub active: u64,
}

impl Remaining {
    /// None.
    pub const NONE: Self = Self { waiting: 0, prioritized: 0, delayed: Some(0), active: 0 };

    fn plus(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            prioritized: self.prioritized + other.prioritized,
            delayed: self.delayed.zip(other.delayed).map(|(one, other)| one + other),
            active: self.active + other.active,
        }
    }
}

impl From<Counts> for Remaining {
    fn from(counts: Counts) -> Self {
        Self {
            waiting: counts.wait + counts.paused,
            prioritized: counts.prioritized,
            delayed: Some(counts.delayed),
            active: counts.active,
        }
    }
}

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
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
    /// Jobs left in each state. Absent when Redis could not be asked, and when a tick saw at once that
    /// there are only jobs that gather, which it does not count.
    pub remaining: Option<Remaining>,
    /// How long the job had waited that waited longest: milliseconds, of those the tick claimed or
    /// found waiting. With [`Patience`](crate::Patience), of those without a priority.
    pub oldest_waiting_ms: Option<i64>,
    /// The same of jobs that gather, those with a priority.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub oldest_gathered_ms: Option<i64>,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Milliseconds from claim to settlement of the batch that took longest.
    #[serde(default)]
    pub batch_ms: u64,
    /// Whether so much of the month's [`Budget`](crate::Budget) was spent that jobs with a priority had to
    /// gather.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_thrifty: bool,
    /// Why it stopped.
    pub stopped_because: StoppedBecause,
    /// Milliseconds until the rate limit that held it back is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limited_ms: Option<u64>,
    /// Why it could not claim what is there, where that is so: of several queues the one most in the way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<Hold>,
    /// The queue that `hold` is of, where a ticker has several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_queue: Option<String>,
    /// What went wrong, when it stopped for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was done in each queue by its name, where a ticker has several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub queues: BTreeMap<String, Report>,
    /// What the handler counted; its counts stand beside the other fields.
    #[serde(flatten)]
    pub counters: Counters,
}

impl Report {
    /// Returns the report of a tick that had these queues: of one its own, and of several their sums and
    /// what is most in the way.
    pub(crate) fn of_queues(mut queues: Vec<(String, Self)>, duration_ms: u64) -> Self {
        if queues.len() == 1
            && let Some((_, only)) = queues.pop()
        {
            return only;
        }
        let mut total = Self { remaining: Some(Remaining::NONE), ..Self::default() };
        for (name, report) in &queues {
            total.add(name, report);
        }
        total.duration_ms = duration_ms;
        total.queues = queues.into_iter().collect();
        total
    }

    fn add(&mut self, name: &str, other: &Self) {
        self.add_counts(other);
        self.remaining = self.remaining.zip(other.remaining).map(|(one, other)| one.plus(other));
        self.limited_ms = match (self.limited_ms, other.limited_ms) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if let Some(hold) = other.hold
            && self.hold.is_none_or(|before| weight(&hold) > weight(&before))
        {
            self.hold = Some(hold);
            self.held_queue = Some(name.to_owned());
        }
        self.stopped_because = self.stopped_because.or(other.stopped_because);
        if let Some(error) = &other.error {
            let before = self.error.take().map(|before| before + "; ").unwrap_or_default();
            self.error = Some(format!("{before}{name}: {error}"));
        }
    }

    /// Adds what the same ticker's next tick did, as if both were one: the sums of what they did, and how the later
    /// one ended. A tick that failed has no next one.
    pub fn go_on(&mut self, next: Self) {
        self.add_counts(&next);
        self.duration_ms += next.duration_ms;
        self.is_thrifty |= next.is_thrifty;
        self.remaining = next.remaining;
        self.limited_ms = next.limited_ms;
        self.hold = next.hold;
        self.held_queue = next.held_queue;
        self.stopped_because = next.stopped_because;
        self.error = next.error;
        for (name, report) in next.queues {
            self.queues.entry(name).or_default().go_on(report);
        }
    }

    fn add_counts(&mut self, other: &Self) {
        self.claimed += other.claimed;
        self.completed += other.completed;
        self.failed += other.failed;
        self.retried += other.retried;
        self.released += other.released;
        self.kept += other.kept;
        self.lost += other.lost;
        self.missing += other.missing;
        self.unscheduled += other.unscheduled;
        self.rescheduled += other.rescheduled;
        self.recovered += other.recovered;
        self.batches += other.batches;
        self.billed_commands += other.billed_commands;
        self.round_trips += other.round_trips;
        self.oldest_waiting_ms = self.oldest_waiting_ms.max(other.oldest_waiting_ms);
        self.oldest_gathered_ms = self.oldest_gathered_ms.max(other.oldest_gathered_ms);
        self.batch_ms = self.batch_ms.max(other.batch_ms);
        self.counters.add_all(&other.counters);
    }

    /// Why it could not claim what is there, as far as it knows without asking for that: what the last claim that
    /// was held back was told, if that is what stopped it.
    pub(crate) fn held(&self) -> Option<Hold> {
        let active = self.remaining.map_or(0, |left| left.active);
        match self.stopped_because {
            StoppedBecause::Paused => Some(Hold::Paused),
            StoppedBecause::Full => self.hold.filter(|hold| matches!(hold, Hold::Full { .. })),
            StoppedBecause::Limited => {
                self.hold.filter(|hold| matches!(hold, Hold::Limited { .. }))
            }
            StoppedBecause::Empty if active > 0 && self.claimed == 0 => {
                Some(Hold::Locked { active, left_ms: None })
            }
            _ => None,
        }
    }

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
        self.oldest_waiting_ms = older(self.oldest_waiting_ms, timestamp_ms, now_ms);
    }

    /// The same of one that gathered.
    pub(crate) fn gathered(&mut self, timestamp_ms: i64, now_ms: i64) {
        self.oldest_gathered_ms = older(self.oldest_gathered_ms, timestamp_ms, now_ms);
    }
}

/// Which of the holds of two queues is told, the heavier one: in the order of [`StoppedBecause::or`].
fn weight(hold: &Hold) -> u8 {
    match hold {
        Hold::Limited { .. } => 3,
        Hold::Full { .. } => 2,
        Hold::Paused => 1,
        _ => 0,
    }
}

/// The greater of an age and the one of what was added at `timestamp_ms`: milliseconds.
fn older(age_ms: Option<i64>, timestamp_ms: i64, now_ms: i64) -> Option<i64> {
    Some(age_ms.unwrap_or(0).max(now_ms.saturating_sub(timestamp_ms)))
}
