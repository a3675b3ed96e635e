//! Makes the time a parameter: tests set it, production reads the system's.

mod iso8601;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use iso8601::{civil, days};
pub use iso8601::{from_iso8601, to_iso8601};

/// Whole milliseconds; the most there are, of a longer time.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A source of the current time, cheap to clone.
///
/// ```
/// use std::time::Duration;
///
/// use batchmq::clock::{Clock, from_iso8601, millis, to_iso8601};
///
/// let clock = Clock::manual(0);
/// clock.advance(1_500);
/// assert_eq!(to_iso8601(clock.now_ms()), "1970-01-01T00:00:01.500Z");
/// assert_eq!(from_iso8601("1970-01-01T00:00:01.500Z"), Some(1_500));
/// assert_eq!(millis(Duration::from_secs(2)), 2_000);
/// ```
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that stands still until it is moved: milliseconds since the Unix epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now_ms` (milliseconds since the Unix epoch).
    pub fn manual(now_ms: i64) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Milliseconds since the Unix epoch.
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
            Self::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock forward by `ms`; a system clock is left alone.
    pub fn advance(&self, ms: i64) {
        if let Self::Manual(now) = self {
            now.fetch_add(ms, Ordering::SeqCst);
        }
    }
}
