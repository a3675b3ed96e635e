//! What the running system needs for each thing that it does.

use serde::Serialize;

/// What something costs once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Once {
    /// Redis commands that Upstash bills.
    pub commands: f64,
    /// Questions to Redis and Postgres, one after the other.
    pub round_trips: f64,
    /// Milliseconds in the function, with both servers on the same machine.
    pub ms: f64,
}

impl Once {
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
        let once = |commands, round_trips, ms| Once { commands, round_trips, ms };
        Self {
            source: "measured on 2026-11-26; --measure takes them anew".to_owned(),
            idle_tick: once(1.0, 1.0, 1.1),
            busy_tick: once(14.8, 6.0, 6.2),
            job: once(4.2, 0.03, 0.6),
            asked: once(9.0, 2.0, 2.4),
            nightly: once(1.0, 0.01, 0.3),
            peak_bytes: 7_500_000,
        }
    }

    /// A busy tick with one job, and one with `jobs`, told apart into what a tick costs and what a job does.
    pub fn split(one: Once, many: Once, jobs: f64) -> (Once, Once) {
        let each = |one: f64, many: f64| ((many - one) / (jobs - 1.0)).max(0.0);
        let job = Once {
            commands: each(one.commands, many.commands),
            round_trips: each(one.round_trips, many.round_trips),
            ms: each(one.ms, many.ms),
        };
        let tick = Once {
            commands: (one.commands - job.commands).max(0.0),
            round_trips: (one.round_trips - job.round_trips).max(0.0),
            ms: (one.ms - job.ms).max(0.0),
        };
        (tick, job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_and_its_jobs_are_told_apart() {
        // 10 commands a tick and 5 a job; 4 round trips a tick and none a job; 3 ms and 0.5 ms.
        let one = Once { commands: 15.0, round_trips: 4.0, ms: 3.5 };
        let many = Once { commands: 510.0, round_trips: 4.0, ms: 53.0 };
        let (tick, job) = Figures::split(one, many, 100.0);
        assert_eq!(job, Once { commands: 5.0, round_trips: 0.0, ms: 0.5 });
        assert_eq!(tick, Once { commands: 10.0, round_trips: 4.0, ms: 3.0 });
    }
}
