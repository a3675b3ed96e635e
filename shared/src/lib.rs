//! Holds everything that the three functions share.
//!
//! Arrows point one way, and cargo holds the first three: [`redis`] (the crate `batchmq-redis`) knows
//! nothing of queues; [`queue`] (the crate `batchmq`) knows only [`redis`]; [`engine`] (the crate
//! `batchmq-engine`) works through any queue with any handler; [`http`] (the crate `batchmq-http`) is the
//! handler that lets an HTTPS server do the work; [`config`] turns the environment into
//! the options of all four, and [`checks`] say what is wrong with it and with the Redis that it leads to; [`deo`] is pure (rows in, numbers out); [`store`] knows Postgres;
//! [`recompute`] is the handler that scores projects, and the functions tick it; [`wake`] asks for a
//! drain over HTTP; [`drops`] tells of scores that fell; [`logs`] says what may stand in a log.

pub mod checks;
pub mod config;
pub mod deo;
pub mod drops;
pub mod logs;
mod outward;
pub mod recompute;
pub mod store;
pub mod wake;

pub use batchmq as queue;
pub use batchmq::clock;
pub use batchmq_engine as engine;
pub use batchmq_engine::trace;
pub use batchmq_http as http;
pub use batchmq_redis as redis;
pub use batchmq_redis::tls;
