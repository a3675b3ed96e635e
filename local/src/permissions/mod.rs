//! The least that each function must be allowed, as text to copy: a user of Redis, a role of Postgres.
//!
//! What stands in here is proved by tests: with exactly this a function does all that it can do, and without
//! any one part of it something fails.

pub mod postgres;
pub mod redis;

use std::fmt;

/// What needs permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Function {
    /// The HTTP API.
    Api,
    /// The drain.
    Drain,
    /// The nightly recompute.
    Cron,
    /// `deo worker`.
    Worker,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Api, Self::Drain, Self::Cron, Self::Worker];
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "api",
            Self::Drain => "drain",
            Self::Cron => "cron",
            Self::Worker => "worker",
        })
    }
}
