//! What the running system needs for each thing that it does.

use serde::Serialize;

/// What something costs once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Once {
    /// Redis commands that Upstash bills.
    pub commands: f64,
    /// Questions to Redis and Postgres, one after the other.
    pub round_trips: f64,
    /// Milliseconds in the function, with both servers on the same machine.
    pub ms: f64,
    /// Bytes that leave AWS: what Redis and Postgres are asked, and answers to people. TLS adds to that.
    pub sent_bytes: f64,
    /// Bytes that the function writes to its log. Lambda itself adds lines of its own.
    pub log_bytes: f64,
}

impl Once {
    /// Of these numbers, in the order of the fields.
    const fn of([commands, round_trips, ms, sent_bytes, log_bytes]: [f64; 5]) -> Self {
        Self { commands, round_trips, ms, sent_bytes, log_bytes }
    }

    /// What `of` makes of each figure and its counterpart.
    fn with(self, other: Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            commands: of(self.commands, other.commands),
            round_trips: of(self.round_trips, other.round_trips),
            ms: of(self.ms, other.ms),
            sent_bytes: of(self.sent_bytes, other.sent_bytes),
            log_bytes: of(self.log_bytes, other.log_bytes),
        }
    }

    /// Milliseconds, where each round trip takes `latency_ms` on its way.
    pub fn with_latency(&self, latency_ms: f64) -> f64 {
        self.ms + self.round_trips * latency_ms
    }
}

/// Everything that costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Where they come from.
    pub source: String,
    /// A tick that finds nothing.
    pub idle_tick: Once,
    /// A tick that finds jobs, the jobs left aside.
    pub busy_tick: Once,
    /// A job of such a tick.
    pub job: Once,
    /// A recompute that someone asks the API for.
    pub asked: Once,
    /// A recompute that the nightly one enqueues.
    pub nightly: Once,
    /// The drain's peak: bytes.
    pub peak_bytes: u64,
}

/// What BullMQ's worker needs on the same queue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// Commands a minute without any job.
    pub commands_a_minute: f64,
    /// Commands of adding a job to a queue that is empty.
    pub commands_an_add: f64,
    /// Commands of a job from there to `completed`.
    pub commands_a_job: f64,
}

impl Worker {
    /// BullMQ 5.81.5 as it comes, counted by Redis 7.0.15 itself: INFO commandstats over an idle minute, over
    /// 100 jobs added one by one to an idle worker and over a backlog of 200, with attempts,
    /// deduplication and retention.
    pub const MEASURED: Self =
        Self { commands_a_minute: 110.0, commands_an_add: 10.0, commands_a_job: 31.0 };
}

impl Figures {
    /// `deo cost --measure` on a two-core machine, built as deployed.
    pub fn measured() -> Self {
        Self {
            source: "measured on 2026-11-26; --measure takes them anew".to_owned(),
            idle_tick: Once::of([1.0, 1.0, 1.1, 2_116.0, 1_501.0]),
            busy_tick: Once::of([14.8, 6.0, 6.2, 10_145.0, 1_867.0]),
            job: Once::of([4.2, 0.03, 0.6, 2_203.0, 3.3]),
            asked: Once::of([9.0, 2.0, 2.4, 2_342.0, 374.0]),
            nightly: Once::of([1.0, 0.01, 0.3, 427.0, 0.4]),
            peak_bytes: 7_500_000,
        }
    }

    /// A busy tick with one job, and one with `jobs`, told apart into what a tick costs and what a job does.
    pub fn split(one: Once, many: Once, jobs: f64) -> (Once, Once) {
        let each = |one: f64, many: f64| ((many - one) / (jobs - 1.0)).max(0.0);
        let job = one.with(many, each);
        let tick = one.with(job, |one, job| (one - job).max(0.0));
        (tick, job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_and_its_jobs_are_told_apart() {
        // 10 commands a tick and 5 a job; 4 round trips a tick and none a job; 3 ms and 0.5 ms.
        // 700 bytes a tick and 30 a job; 1,500 of the log, whatever the jobs.
        let one = Once::of([15.0, 4.0, 3.5, 730.0, 1_500.0]);
        let many = Once::of([510.0, 4.0, 53.0, 3_700.0, 1_500.0]);
        let (tick, job) = Figures::split(one, many, 100.0);
        assert_eq!(job, Once::of([5.0, 0.0, 0.5, 30.0, 0.0]));
        assert_eq!(tick, Once::of([10.0, 4.0, 3.0, 700.0, 1_500.0]));
    }
}
