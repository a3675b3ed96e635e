//! Both transports when the server, the network or a proxy misbehaves.
mod client;
mod freeze;
mod queue;
mod rest;
mod rest_answers;
mod rest_sync_token;
pub(crate) mod scripted;
mod tcp;
mod tls;
