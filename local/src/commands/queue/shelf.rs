//! The states of jobs as arguments.

use clap::ValueEnum;
use shared::queue::{Cleanable, Shelf};

/// Where jobs are, by BullMQ's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    /// The next to run first
    #[value(alias = "waiting")]
    Wait,
    /// What waits is kept here while the queue is paused
    Paused,
    /// The next to run first
    Prioritized,
    /// The next to fall due first
    Delayed,
    /// The one taken longest ago first
    Active,
    /// Parents of flows, the one that waits longest first
    WaitingChildren,
    /// The newest first
    Completed,
    /// The newest first
    Failed,
}

impl From<State> for Shelf {
    fn from(state: State) -> Self {
        match state {
            State::Wait => Self::Wait,
            State::Paused => Self::Paused,
            State::Prioritized => Self::Prioritized,
            State::Delayed => Self::Delayed,
            State::Active => Self::Active,
            State::WaitingChildren => Self::WaitingChildren,
            State::Completed => Self::Completed,
            State::Failed => Self::Failed,
        }
    }
}

/// Reads a state that can be cleaned.
///
/// # Errors
/// A sentence about what is accepted.
pub(in crate::commands) fn cleanable(text: &str) -> Result<Cleanable, String> {
    Ok(match text {
        "completed" => Cleanable::Completed,
        "failed" => Cleanable::Failed,
        "delayed" => Cleanable::Delayed,
        "wait" | "waiting" => Cleanable::Wait,
        "paused" => Cleanable::Paused,
        "prioritized" => Cleanable::Prioritized,
        "active" => Cleanable::Active,
        _ => {
            return Err(
                "write completed, failed, delayed, wait, paused, prioritized or active".to_owned()
            );
        }
    })
}
