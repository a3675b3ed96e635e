//! Tells where a job is.

use std::str::FromStr;

/// A list or set of jobs, by BullMQ's names.
///
/// ```
/// use batchmq::State;
///
/// assert_eq!("delayed".parse(), Ok(State::Delayed));
/// assert!("late".parse::<State>().is_err());
/// assert!(State::ALL.into_iter().all(|state| state.name().parse() == Ok(state)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// Returns what BullMQ's `getState` answers: `waiting` for what stands in either list of those that
    /// wait, and `unknown` for a job that is nowhere.
    pub fn told(state: Option<Self>) -> &'static str {
        match state {
            Some(Self::Wait | Self::Paused) => "waiting",
            Some(state) => state.name(),
            None => "unknown",
        }
    }

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
#[non_exhaustive]
pub struct UnknownState;

impl FromStr for State {
    type Err = UnknownState;

    /// Reads a state's name; BullMQ also says `waiting` for `wait`.
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let name = if text == "waiting" { "wait" } else { text };
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or(UnknownState)
    }
}

#[cfg(test)]
mod tests {
    use super::{State, UnknownState};

    #[test]
    fn each_state_is_read_by_the_name_that_it_has_or_is_told_by() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert_eq!(State::told(Some(State::Wait)).parse(), Ok(State::Wait));
        assert_eq!(State::told(Some(State::Paused)), "waiting");
        assert_eq!(State::told(None).parse::<State>(), Err(UnknownState));
        assert_eq!("Wait".parse::<State>(), Err(UnknownState));
    }
}
