//! Everything a developer's machine needs, and nothing that ships to AWS.
//!
//! [`commands`] is the command line, one file a command. [`servers`] starts a private Redis and
//! Postgres; [`migrations`] and [`seed`] make its tables and fill them; [`gateway`] is Upstash's REST
//! API in front of any Redis; [`http_api`] serves the API's router; [`settings`] hands all of them to
//! the functions' code. [`terminal`] is how results look.

pub mod commands;
pub mod cost;
pub mod delay;
pub mod gateway;
pub mod http_api;
pub mod migrations;
pub mod relay;
pub mod runtime_api;
pub mod seed;
pub mod servers;
pub mod settings;
pub mod terminal;

/// `JWT_SECRET` of a system that lives on localhost only, where none is set.
pub const DEVELOPMENT_SECRET: &str = "local-development-only";
