//! `deo`: everything a developer's machine needs, and nothing that ships to AWS.
//!
//! [`cli`] is the command line, one file a command. What it shows comes from [`bench`], which measures, and
//! [`cost`], which tells a bill; [`permissions`] is what the functions must be allowed, [`http_api`] serves the
//! API's router, [`sign_in`] signs its console in and `request_log` says what it was asked, [`runtime_api`] plays Lambda to the
//! functions, [`relay`] watches their connections, [`tls_front`]
//! takes TLS off before servers, [`chaos`] lets everything go wrong, [`verify`] proves what must hold after a
//! run, [`terminal`] is how results look. Crates of their own are the private servers ([`servers`]), Upstash's
//! REST API in front of any Redis ([`gateway`]), the
//! platform's tables ([`migrations`], [`seed`]), the worker, and what that has in common with this command
//! line.

pub mod bench;
pub mod chaos;
pub mod cli;
pub mod cost;
pub mod delay;
mod docs;
pub mod doctor;
pub mod http_api;
pub mod permissions;
mod queue;
pub mod relay;
mod request_log;
pub mod runtime_api;
pub mod sign_in;
pub mod simulate;
pub mod terminal;
pub mod tls_front;
mod token;
pub mod verify;

pub use command::{Failure, Outcome};
pub use servers::settings;
pub use tables::{migrations, seed};
pub use {gateway, servers};

/// `JWT_SECRET` of a system that lives on localhost only, where none is set.
pub const DEVELOPMENT_SECRET: &str = "local-development-only";
