//! The Lua scripts: how they are put together, shortened and run.

pub(crate) mod library;
pub(crate) mod replay;
pub(crate) mod shrink;
