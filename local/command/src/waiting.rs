//! Says once that requests to Redis are sent again, where a log would say so for each try.

use std::fmt::Debug;
use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where the Redis client says that it sends a request again.
const TARGET: &str = "batchmq_redis::delivery";

/// After so long without a repetition the next one is told again.
const QUIET: Duration = Duration::from_secs(30);

/// Whether a view has the whole terminal, and tells of its troubles by itself.
static SCREEN: AtomicBool = AtomicBool::new(false);

/// Notes whether a view has the whole terminal from now on: nothing is written over it then.
pub fn screen_is_taken(taken: bool) {
    SCREEN.store(taken, Ordering::Relaxed);
}

/// Whether an event says that a request to Redis is sent again.
pub(crate) fn is_repetition(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET && *metadata.level() == Level::WARN
}

/// Writes one line to stderr for all repetitions of a time in which Redis is away.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Option<Instant>>);

impl Waiting {
    /// Whether there was no repetition for some time. It counts as one.
    fn is_news(&self) -> bool {
        let Ok(mut last) = self.0.lock() else { return false };
        let before = last.replace(Instant::now());
        before.is_none_or(|at| at.elapsed() > QUIET)
    }
}

impl<S: Subscriber> Layer<S> for Waiting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if is_repetition(event.metadata()) && self.is_news() && !SCREEN.load(Ordering::Relaxed) {
            // Over a spinner that may be there, which goes on below.
            let start = if io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
            let mut why = Why::default();
            event.record(&mut why);
            let line =
                format!("Redis: {}; trying again for some seconds ...", why.first_sentence());
            crate::complain(format!("{start}{}", crate::tame(&line)));
        }
    }
}

/// Why a request is sent again: refused, too many at once, nobody there.
#[derive(Default)]
struct Why(String);

impl Why {
    /// What to do about it follows once it is certain that nobody answers.
    fn first_sentence(&self) -> &str {
        self.0.split(". ").next().unwrap_or_default()
    }
}

impl Visit for Why {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "error" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_for_all_repetitions_in_a_row() {
        let waiting = Waiting::default();
        assert!(waiting.is_news());
        assert!(!waiting.is_news() && !waiting.is_news());
    }
}
