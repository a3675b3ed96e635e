//! Holds what the functions have in common on Lambda: how they start, and what they tell of themselves.
//!
//! [`run`] is what each `main` does; [`deadline`] and [`told`] are for those that tick.
//! [`init`] makes every log line one JSON object. [`Invocations`] is a layer that puts a span around
//! each event, so that every line says which request it belongs to, whether that was the first one of
//! its environment, and which queue it is about, over which transport. What is left to send goes out
//! in it as well, once the answer is out and before the next event is asked for.
//!
//! With the feature `otlp` spans, and the figures that [`measure`] is told, also go to a collector over OTLP/HTTP,
//! where the variables of OpenTelemetry name one (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`).

mod figure;
mod function;
mod invocation;
#[cfg(feature = "otlp")]
mod otlp;

use lambda_runtime::tracing::subscriber::filter::{LevelFilter, Targets, filter_fn};
use lambda_runtime::tracing::subscriber::layer::SubscriberExt as _;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_runtime::tracing::subscriber::{fmt, registry};
use shared::logs::may_be_told;

pub use figure::{Figure, Kind};
pub use function::{deadline, run, told};
pub use invocation::{Invocations, Spanned};

/// Logs as JSON on stdout, from the level that Lambda's settings or `RUST_LOG` name (`INFO`). Whatever they
/// say, libraries tell warnings and errors only: see [`shared::logs`].
pub fn init() {
    let level = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"];
    let level = level.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    // Lambda reads `level` and `timestamp` to filter by itself, too.
    // All spans are in one list, so that the innermost need not be told twice.
    let lines = fmt::layer().json().with_current_span(false).with_target(false);
    let subscriber = registry().with(filter_fn(may_be_told)).with(asked_for(&level)).with(lines);
    #[cfg(feature = "otlp")]
    let subscriber = subscriber.with(otlp::layer());
    subscriber.init();
}

/// Reads a level, or several of the form `target=level`, with commas between them. What cannot be read is
/// left out: a log is no reason not to start.
fn asked_for(levels: &str) -> Targets {
    let mut targets = Targets::new().with_default(LevelFilter::INFO);
    for one in levels.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (target, level) = match one.split_once('=') {
            Some((target, level)) => (target.trim(), level.trim()),
            // A target alone asks for all of it.
            None => (one, "trace"),
        };
        if let Ok(level) = one.parse::<LevelFilter>() {
            targets = targets.with_default(level);
        } else if let Ok(level) = level.parse::<LevelFilter>()
            && !target.is_empty()
        {
            targets = targets.with_target(target, level);
        }
    }
    targets
}

/// Notes figures of what was done for this key prefix: a collector gets them once the invocation is answered,
/// where there is one.
pub fn measure(prefix: &str, figures: &[Figure]) {
    #[cfg(feature = "otlp")]
    otlp::measure(prefix, figures);
    #[cfg(not(feature = "otlp"))]
    let _ = (prefix, figures);
}

/// Sends the spans that have ended and the figures noted, where anybody wants them.
#[cfg(feature = "otlp")]
async fn flush() {
    otlp::flush().await;
}

#[cfg(not(feature = "otlp"))]
async fn flush() {}

#[cfg(test)]
mod tests {
    use lambda_runtime::tracing::subscriber::filter::LevelFilter;
    use tracing::Level;

    use super::asked_for;

    #[test]
    fn a_level_is_for_all_and_for_a_target() {
        for (asked, all, of_one) in [
            ("", Level::INFO, Level::INFO),
            ("DEBUG", Level::DEBUG, Level::DEBUG),
            ("warn", Level::WARN, Level::WARN),
            ("warn, one=debug", Level::WARN, Level::DEBUG),
            ("one=error,debug", Level::DEBUG, Level::ERROR),
            ("one", Level::INFO, Level::TRACE),
            ("one=loud,=,[x]", Level::INFO, Level::INFO),
        ] {
            let targets = asked_for(asked);
            for (target, most) in [("other", all), ("one::part", of_one)] {
                for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
                    let wanted = level <= most;
                    assert_eq!(targets.would_enable(target, &level), wanted, "{asked}: {target}");
                }
            }
        }
        assert_eq!(asked_for("off").default_level(), Some(LevelFilter::OFF));
    }
}
