//! Everything a developer's machine needs, and nothing that ships to AWS.
//!
//! [`commands`] is the command line, one file a command; [`servers`] starts a private Redis and
//! Postgres; [`gateway`] is Upstash's REST API in front of any Redis; [`terminal`] is how all of it
//! looks.

pub mod commands;
pub mod gateway;
pub mod servers;
pub mod terminal;
