//! Names what must hold of the queue and of the scores, whatever went wrong.

use serde::Serialize;

/// One of the ten invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Invariant {
    /// No job is lost, none stands twice.
    I1,
    /// Each completed job has its one snapshot.
    I2,
    /// Nobody holds a job any more.
    I3,
    /// No invocation outlives its deadline.
    I4,
    /// Commands stay within their budget.
    I5,
    /// BullMQ can work with what is left.
    I6,
    /// Scores come from the newest read.
    I7,
    /// No batch is in the way of the next.
    I8,
    /// Nothing takes a job out of its place.
    I9,
    /// Each drop has one event under one id.
    I10,
}

impl Invariant {
    /// Each of them.
    pub const ALL: [Self; 10] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
    ];

    /// Returns what it promises, as one sentence.
    pub fn promise(self) -> &'static str {
        match self {
            Self::I1 => {
                "Each accepted job stands in exactly one state, or was removed and is proved by its \
                 snapshot; what failed has a reason."
            }
            Self::I2 => {
                "Each completed job has exactly one snapshot, the one that it names; no snapshot is \
                 without an accepted job."
            }
            Self::I3 => "Only an active job has a lock, and when all is quiet no job is active.",
            Self::I4 => "No invocation outlives its deadline.",
            Self::I5 => "The commands used stay within their budget.",
            Self::I6 => "BullMQ can read, retry, remove and clean every state that is left.",
            Self::I7 => {
                "A project's score is that of its newest read, and a project with newer rows is found \
                 as stale."
            }
            Self::I8 => {
                "No batch is in the way of the next: nothing returns to the queue for ever, and its \
                 mates end."
            }
            Self::I9 => {
                "Whatever stands at a key, and whichever command is refused: a stored job has its \
                 place, and a place its job."
            }
            Self::I10 => {
                "Each score that falls has exactly one event, which has the same id however often it is \
                 sent."
            }
        }
    }
}
