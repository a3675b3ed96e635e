//! `deo worker` as a process: it wakes at once, keeps time, ends gracefully, comes back, and costs little.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod ending;
mod waking;
mod world;
