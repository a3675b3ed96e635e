//! Holds what the functions have in common on Lambda: how they start, and what they tell of themselves.
//!
//! [`run`] is what each `main` does; [`deadline`] and [`told`] are for those that tick.
//! [`init`] makes every log line one JSON object. [`Invocations`] is a layer that puts a span around
//! each event, so that every line says which request it belongs to, whether that was the first one of
//! its environment, and which queue it is about, over which transport. What is left to send goes out
//! in it as well, once the answer is out and before the next event is asked for.
//!
//! With the feature `otlp` spans also go to a collector over OTLP/HTTP, where the variables of
//! OpenTelemetry name one (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`).

mod function;
mod invocation;
#[cfg(feature = "otlp")]
mod otlp;

use lambda_runtime::tracing::subscriber::filter::LevelFilter;
use lambda_runtime::tracing::subscriber::layer::SubscriberExt as _;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_runtime::tracing::subscriber::{EnvFilter, fmt, registry};

pub use function::{deadline, run, told};
pub use invocation::{Invocations, Spanned};

/// Logs as JSON on stdout, from the level that Lambda's settings or `RUST_LOG` name (`INFO`).
pub fn init() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"];
    let level = level.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    // Lambda reads `level` and `timestamp` to filter by itself, too.
    // All spans are in one list, so that the innermost need not be told twice.
    let lines = fmt::layer().json().with_current_span(false).with_target(false);
    let subscriber = registry().with(filter.parse_lossy(level)).with(lines);
    #[cfg(feature = "otlp")]
    let subscriber = subscriber.with(otlp::layer());
    subscriber.init();
}

/// Sends the spans that have ended, where anybody wants them.
#[cfg(feature = "otlp")]
async fn flush() {
    otlp::flush().await;
}

#[cfg(not(feature = "otlp"))]
async fn flush() {}
