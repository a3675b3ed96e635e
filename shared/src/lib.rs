//! Everything the three functions share.
//!
//! Arrows point one way: [`config`] and [`redis`] know nothing of queues; [`queue`] knows only
//! [`redis`]; [`deo`] is pure (rows in, numbers out); [`store`] knows Postgres; [`recompute`] ties
//! queue, score and store together, and the functions call it; [`wake`] asks for a drain over HTTP.

pub mod clock;
pub mod config;
pub mod deo;
pub mod queue;
pub mod recompute;
pub mod redis;
pub mod store;
pub mod tls;
pub mod trace;
pub mod wake;
