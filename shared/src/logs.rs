//! What may stand in a log, at whatever level somebody asks for.
//!
//! Libraries do not know what is secret: at TRACE the Lambda runtime logs each event as it came, with its
//! caller's token, and a client of Postgres tells parameters at DEBUG. So they tell their warnings and errors
//! and no more; below that a log is about our own code, which names what it says.

use tracing::{Level, Metadata};

/// The crates whose every word may be told, as `tracing` names them.
pub const OURS: [&str; 19] = [
    "api",
    "batchmq",
    "batchmq_engine",
    "batchmq_http",
    "batchmq_redis",
    "command",
    "cron",
    "deo",
    "deo_worker",
    "drain",
    "fixture",
    "fuzz_targets",
    "gateway",
    "local",
    "servers",
    "shared",
    "tables",
    "telemetry",
    "worker",
];

/// Returns whether a line or a span may be told: it is a warning, or one of [`OURS`] says it.
pub fn may_be_told(metadata: &Metadata<'_>) -> bool {
    let (level, target) = (metadata.level(), metadata.target());
    let said_by = target.split_once("::").map_or(target, |(name, _)| name);
    *level <= Level::WARN || OURS.contains(&said_by)
}
