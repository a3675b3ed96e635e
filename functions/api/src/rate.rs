//! How often a user may POST: so often a minute of the clock, over all instances.
//!
//! The count is in Redis, one command a request. What an instance has seen over the limit it refuses by
//! itself until the minute is over, so that a flood costs no command.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::clock::millis;
use shared::queue::Queue;

use crate::error::Error;
use crate::refused::LastWrite;

const WINDOW: Duration = Duration::from_secs(60);

/// The limit, and what this instance has seen of the present minute.
#[derive(Debug)]
pub(crate) struct Rate {
    most: u64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    window: u64,
    counts: HashMap<String, u64>,
}

impl Rate {
    /// At most so many a user and minute.
    pub(crate) fn new(most: u64) -> Self {
        Self { most, seen: Mutex::default() }
    }

    /// Counts a request of the user at `now_ms`, in `queue`'s Redis; where there is none, only in this
    /// instance.
    ///
    /// # Errors
    /// A 429 past the limit; a 503 when it cannot be counted.
    pub(crate) async fn admit(
        &self,
        queue: Option<&Queue>,
        last_write: &LastWrite,
        user_id: &str,
        now_ms: i64,
    ) -> Result<(), Error> {
        let (window, left_ms) = {
            let (now, length) = (now_ms.max(0).unsigned_abs(), millis(WINDOW));
            (now / length, length - now % length)
        };
        let known = self.seen(window, |counts| counts.get(user_id).copied());
        let refusal = Error::TooMany(left_ms.div_ceil(1000));
        if known.is_some_and(|count| count >= self.most) {
            return Err(refusal);
        }
        let count = match queue {
            Some(queue) => {
                let counted = queue.count_asked(user_id, WINDOW, known.is_none()).await;
                // What is not counted would have no limit.
                last_write.written_beside("a request was not counted", counted)?
            }
            None => known.unwrap_or(0) + 1,
        };
        self.seen(window, |counts| {
            let known = counts.entry(user_id.to_owned()).or_default();
            // Answers may come out of order.
            *known = count.max(*known);
        });
        if count > self.most { Err(refusal) } else { Ok(()) }
    }

    /// Looks at the counts of `window`; those of another one are forgotten.
    fn seen<T>(&self, window: u64, look: impl FnOnce(&mut HashMap<String, u64>) -> T) -> T {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.window != window {
            *seen = Seen { window, counts: HashMap::new() };
        }
        look(&mut seen.counts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_minute_s_limit_is_each_user_s_and_the_next_minute_begins_anew() {
        let rate = Rate::new(2);
        let admit =
            async |user: &str, ms: i64| rate.admit(None, &LastWrite::default(), user, ms).await;
        assert_eq!(admit("ann", 60_000).await, Ok(()));
        assert_eq!(admit("ann", 60_001).await, Ok(()));
        assert_eq!(admit("ann", 60_002).await, Err(Error::TooMany(60)));
        assert_eq!(admit("ann", 119_500).await, Err(Error::TooMany(1)));
        assert_eq!(admit("bob", 119_500).await, Ok(()));
        assert_eq!(admit("ann", 120_000).await, Ok(()));
        assert_eq!(rate.seen.lock().unwrap().counts.len(), 1, "nobody else of this minute");
    }
}
