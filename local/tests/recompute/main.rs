//! Whole ticks against a real Redis and a real Postgres: what they do, what they cost, and that
//! nothing is lost or doubled when something dies under them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod budget;
mod faults;
mod ticks;
mod world;
