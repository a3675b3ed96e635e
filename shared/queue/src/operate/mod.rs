//! Gives operators a hand: pause, limits, retry, promote, remove, clean, obliterate.

pub(crate) mod by_reason;
pub(crate) mod clean;
pub(crate) mod limits;
pub(crate) mod operation;
pub(crate) mod pause;
pub(crate) mod refusal;
pub(crate) mod remove;
pub(crate) mod revive;
