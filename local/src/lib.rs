//! Everything a developer's machine needs, and nothing that ships to AWS.
//!
//! [`commands`] is the command line, one file a command. [`servers`] starts a private Redis and
//! Postgres; [`migrations`] and [`seed`] make its tables and fill them; [`gateway`] is Upstash's REST
//! API in front of any Redis; [`http_api`] serves the API's router; [`settings`] hands all of them to
//! the functions' code. [`terminal`] is how results look.

pub mod commands;
pub mod cost;
pub mod http_api;
pub mod relay;
pub mod runtime_api;
pub mod terminal;

pub use servers::settings;
pub use tables::{migrations, seed};
pub use {gateway, servers};

/// `JWT_SECRET` of a system that lives on localhost only, where none is set.
pub const DEVELOPMENT_SECRET: &str = "local-development-only";
