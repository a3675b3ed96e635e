//! `deo worker` as a process: it wakes at once, keeps time, ends gracefully, comes back, and costs little.
mod ending;
mod failover;
mod metrics;
mod several;
mod waking;
mod world;
