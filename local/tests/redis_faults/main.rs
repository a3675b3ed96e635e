//! Both transports when the server, the network or a proxy misbehaves.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod client;
mod freeze;
mod queue;
mod rest;
mod rest_answers;
mod rest_sync_token;
mod scripted;
mod tcp;
mod tls;
