//! What the functions tell of themselves while they run on Lambda.
//!
//! [`init`] makes every log line one JSON object. [`Invocations`] is a layer that puts a span around
//! each event, so that every line says which request it belongs to, whether that was the first one of
//! its environment, and which queue it is about, over which transport.

mod invocation;

use lambda_runtime::tracing::subscriber::EnvFilter;
use lambda_runtime::tracing::subscriber::filter::LevelFilter;
use lambda_runtime::tracing::subscriber::fmt;

pub use invocation::{Invocations, Spanned};

/// Logs as JSON on stdout, from the level that Lambda's settings or `RUST_LOG` name (`INFO`).
pub fn init() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"];
    let level = level.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    // Lambda reads `level` and `timestamp` to filter by itself, too.
    fmt().json().with_target(false).with_env_filter(filter.parse_lossy(level)).init();
}
