//! Says how batches are forwarded.

use std::time::Duration;

use batchmq::clock::Clock;
use batchmq_redis::Secret;

use crate::secrets::Secrets;

/// The shortest lock that a receiver may ask for.
const SHORTEST_LOCK: Duration = Duration::from_secs(1);

/// How batches are forwarded.
#[derive(Clone, Debug)]
pub struct ForwardOptions {
    /// Where to: an `https://` URL; `http://` only to this machine. It is never shown, since it may hold a
    /// password or a token.
    pub url: Secret,
    /// What requests are signed with.
    pub secrets: Secrets,
    /// The longest that the receiver may take to answer a request. Less than half of a tick's time leaves
    /// room for a second try with fewer jobs.
    pub timeout: Duration,
    /// How long jobs stay locked that the receiver goes on with after its answer.
    pub locks: LockTimes,
    /// Whether `http://` may go to another machine.
    pub allow_plaintext: bool,
    /// The time of requests' timestamps.
    pub clock: Clock,
}

impl ForwardOptions {
    /// Returns options with 15 s for an answer, and locks of 5 minutes where the receiver asks for no other
    /// time and of an hour at most.
    pub fn new(url: Secret, secrets: Secrets) -> Self {
        Self {
            url,
            secrets,
            timeout: Duration::from_secs(15),
            locks: LockTimes::default(),
            allow_plaintext: false,
            clock: Clock::System,
        }
    }
}

/// How long jobs stay locked that a receiver goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockTimes {
    /// When the receiver asks for no other time.
    pub usual: Duration,
    /// At most. Should the receiver die, its jobs come back that much later.
    pub longest: Duration,
}

impl Default for LockTimes {
    fn default() -> Self {
        Self { usual: Duration::from_secs(300), longest: Duration::from_secs(3_600) }
    }
}

impl LockTimes {
    /// Returns the time for which to lock a job whose receiver asks for `lock_ms` milliseconds: within the
    /// bounds, 1 s below.
    pub(crate) fn of(&self, lock_ms: Option<f64>) -> Duration {
        let longest = self.longest.max(SHORTEST_LOCK);
        let asked = match lock_ms {
            None => self.usual,
            // What no duration can hold is longer than the longest.
            Some(ms) => Duration::try_from_secs_f64(ms.max(0.0) / 1000.0).unwrap_or(longest),
        };
        asked.clamp(SHORTEST_LOCK, longest)
    }
}
