//! Counts how many jobs a queue has in each state.

use serde::Serialize;

/// Jobs per state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Counts {
    /// In `wait`.
    pub wait: u64,
    /// In `paused`, where what waits is kept while the queue is paused.
    pub paused: u64,
    /// In `prioritized`.
    pub prioritized: u64,
    /// In `delayed`.
    pub delayed: u64,
    /// In `active`.
    pub active: u64,
    /// In `waiting-children`.
    pub waiting_children: u64,
    /// In `completed`.
    pub completed: u64,
    /// In `failed`.
    pub failed: u64,
}
