//! Counts what a client has used.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a handle has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Commands that Upstash bills: each command, those inside scripts included. A transaction's
    /// MULTI and EXEC count; so does a replay, and an EVALSHA that found no script. What a script
    /// executed before its answer was lost, or before it failed, is not known and not counted.
    pub billed: u64,
    /// Requests sent to the server (a pipeline or a script is one).
    pub round_trips: u64,
}

/// The counters behind a [`Usage`], shared by clones of a handle.
#[derive(Debug, Default)]
pub(super) struct Meter {
    billed: AtomicU64,
    round_trips: AtomicU64,
}

impl Meter {
    /// Adds commands that the server executed, or may have executed.
    pub(super) fn bill(&self, commands: u64) {
        self.billed.fetch_add(commands, Ordering::Relaxed);
    }

    /// Adds one request.
    pub(super) fn round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            billed: self.billed.load(Ordering::Relaxed),
            round_trips: self.round_trips.load(Ordering::Relaxed),
        }
    }
}
