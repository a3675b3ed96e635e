//! The HTTP contract, over real HTTP with a real Redis and a real Postgres.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod budget;
mod bulk;
mod contract_pairs;
mod corpus;
mod description;
mod errors;
mod fleet;
mod frozen;
mod history;
mod hostile;
mod lambda;
mod load;
mod operate;
mod platform;
mod queue;
mod rate;
mod reads;
mod refused;
mod settle;
mod sync;
mod timing;
mod unavailable;
mod wake;
mod world;
