//! A night in advance: how long drains take for a number of jobs, what that costs, and what is in the way
//! of more. Simulated event by event from measured costs and the providers' limits; the same seed gives
//! the same night.

mod advice;
mod night;
mod station;

use serde::Serialize;

pub use advice::Advice;
pub use night::{Night, night};

/// What one job needs of each server, and how often a batch goes to and fro.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Costs {
    /// Billed Redis commands of enqueueing a job.
    pub enqueue_commands: f64,
    /// Billed Redis commands from claim to settlement.
    pub commands: f64,
    /// Milliseconds of Redis' one thread, from claim to settlement.
    pub redis_ms: f64,
    /// Milliseconds of a core of Postgres for reading.
    pub read_ms: f64,
    /// Milliseconds of a core of Postgres for saving.
    pub save_ms: f64,
    /// Milliseconds of a core of the function.
    pub function_ms: f64,
    /// Bytes that a waiting job takes in Redis.
    pub waiting_bytes: f64,
}

impl Costs {
    /// `deo bench jobs --workload shops` on a two-core machine, projects of 30 pages and 20 products: the times
    /// follow from what each server does alone. Commands by `deo bench commands --ours`, as cron enqueues; a
    /// waiting job's bytes by INFO memory before and after 10,000 of them.
    pub const MEASURED: Self = Self {
        enqueue_commands: 1.0,
        commands: 4.28,
        redis_ms: 0.033,
        read_ms: 0.45,
        save_ms: 0.14,
        function_ms: 0.045,
        waiting_bytes: 1_130.0,
    };
}

/// What is there to work with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setup {
    /// Jobs that wait when the night begins.
    pub jobs: u64,
    /// Drains that tick side by side.
    pub drains: u32,
    /// Batches that each of them has under way at once.
    pub lanes: u32,
    /// Jobs a batch.
    pub batch: u32,
    /// Milliseconds of a round trip to either server.
    pub latency_ms: f64,
    /// Size of Neon's compute: a unit is a core.
    pub compute_units: f64,
    /// Megabytes of memory of a function; 1,769 are a core.
    pub memory_mb: f64,
    /// What decides how long each step takes.
    pub seed: u64,
}

/// The providers' limits, as they publish them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Upstash, free and pay as you go: commands a second.
    pub commands_a_second: f64,
    /// Upstash, pay as you go: bytes of data.
    pub redis_bytes: f64,
    /// AWS: functions of an account that run at once, unless raised.
    pub functions: u32,
}

impl Limits {
    /// As published in November 2026.
    pub const PUBLISHED: Self =
        Self { commands_a_second: 10_000.0, redis_bytes: 100e9, functions: 1_000 };

    /// Connections that Neon's compute of this size takes without its pooler.
    pub fn connections(compute_units: f64) -> f64 {
        (compute_units * 450.0).min(4_000.0).floor()
    }
}
