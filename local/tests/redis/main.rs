//! The Redis client over both transports: what every server answers alike, and what is done when a server,
//! the network or a proxy misbehaves.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod conditions;
mod conformance;
mod elsewhere;
mod faults;
mod trust;
