//! Puts the Lua scripts together, shortens and runs them.

pub(crate) mod library;
pub(crate) mod replay;
pub(crate) mod shrink;
