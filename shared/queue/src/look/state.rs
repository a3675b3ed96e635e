//! Where a job is.

use std::str::FromStr;

use serde::Serialize;

/// A list or set of jobs, by BullMQ's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// `wait`, the next to run first.
    Wait,
    /// `paused`, where what waits is kept while the queue is paused, the next to run first.
    Paused,
    /// `prioritized`, the next to run first.
    Prioritized,
    /// `delayed`, the next to fall due first.
    Delayed,
    /// `active`, the one taken longest ago first.
    Active,
    /// `waiting-children`, the one that waits longest first.
    WaitingChildren,
    /// `completed`, the newest first.
    Completed,
    /// `failed`, the newest first.
    Failed,
}

impl State {
    /// Each of them.
    pub const ALL: [Self; 8] = [
        Self::Wait,
        Self::Paused,
        Self::Prioritized,
        Self::Delayed,
        Self::Active,
        Self::WaitingChildren,
        Self::Completed,
        Self::Failed,
    ];

    /// Returns the name of the list or set.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Paused => "paused",
            Self::Prioritized => "prioritized",
            Self::Delayed => "delayed",
            Self::Active => "active",
            Self::WaitingChildren => "waiting-children",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// A name that is no state's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write wait, paused, prioritized, delayed, active, waiting-children, completed or failed")]
pub struct UnknownState;

impl FromStr for State {
    type Err = UnknownState;

    /// Reads a state's name; BullMQ also says `waiting` for `wait`.
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let name = if text == "waiting" { "wait" } else { text };
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or(UnknownState)
    }
}
