//! Everything the three functions share.
//!
//! Arrows point one way, and cargo holds the first two: [`redis`] (the crate `batchmq-redis`) knows
//! nothing of queues; [`queue`] (the crate `batchmq`) knows only [`redis`]; [`config`] turns the
//! environment into the options of both; [`deo`] is pure (rows in, numbers out); [`store`] knows
//! Postgres; [`recompute`] ties queue, score and store together, and the functions call it; [`wake`]
//! asks for a drain over HTTP.

pub mod config;
pub mod deo;
pub mod recompute;
pub mod store;
pub mod trace;
pub mod wake;

pub use batchmq as queue;
pub use batchmq::clock;
pub use batchmq_redis as redis;
pub use batchmq_redis::tls;
