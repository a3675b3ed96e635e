//! Whole ticks against a real Redis and a real Postgres: what they do, what they cost, and that
//! nothing is lost or doubled when something dies under them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod budget;
mod busy;
mod cheap;
mod faults;
mod invariants;
mod limits;
#[path = "../log/mod.rs"]
mod log;
mod order;
mod outages;
#[path = "../store/proxy.rs"]
#[allow(dead_code, reason = "the store's own tests look at more of it")]
mod proxy;
mod schedules;
mod slow;
mod storm;
mod thrift;
mod ticks;
mod traces;
mod world;
