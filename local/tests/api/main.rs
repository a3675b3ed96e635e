//! The HTTP contract, over real HTTP with a real Redis and a real Postgres.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod budget;
mod bulk;
mod contract_pairs;
mod description;
mod errors;
mod fleet;
mod frozen;
mod history;
mod lambda;
mod platform;
mod queue;
mod reads;
mod settle;
mod timing;
mod unavailable;
mod wake;
mod world;
