//! Tries out what we take for granted of servers that are not ours. Everything written ends within a minute.

pub(super) mod postgres;
pub(super) mod redis;
mod rest;
