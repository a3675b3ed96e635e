//! Says why nothing could be claimed, with the limit that is in the way and how long it stays there.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::millis;
use crate::error::Error;
use crate::operate::limits::{Flow, Limits, StoredRate};
use crate::queue::Queue;
use batchmq_redis::Command;

/// Why nothing could be claimed.
///
/// ```
/// use batchmq::Hold;
///
/// let hold = Hold::Limited { max: Some(100), duration_ms: Some(60_000), left_ms: 1_500 };
/// assert_eq!(hold.to_string(), "limited: 100 jobs have started within 60s; more may in 1.5s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "lowercase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Hold {
    /// The queue is paused.
    Paused,
    /// As many jobs have started as a rate limit allows.
    Limited {
        /// Jobs that may start within the time; `None` where that is not known.
        max: Option<u64>,
        /// The time: milliseconds.
        duration_ms: Option<u64>,
        /// Milliseconds until more may start.
        left_ms: u64,
    },
    /// As many jobs are active as the queue's concurrency allows.
    Full {
        /// Jobs that may be active at once; `None` where that is not known.
        concurrency: Option<u64>,
        /// Jobs that are active.
        active: u64,
        /// Milliseconds until the lock of the job ends that has been active longest; 0 where it has ended,
        /// `None` where it was not looked at, or has no end.
        left_ms: Option<u64>,
    },
    /// None waits, and those that are active belong to somebody.
    Locked {
        /// Jobs that are active.
        active: u64,
        /// As in [`Hold::Full`].
        left_ms: Option<u64>,
    },
}

impl Queue {
    /// Why nothing can be claimed from the queue that has these `limits`, where jobs may wait if it `waits`.
    /// The limit of these options counts where the queue has none of its own. Up to two commands, to see
    /// when a lock ends.
    ///
    /// # Errors
    /// [`Error::Redis`].
    pub async fn hold(&self, limits: &Limits, waits: bool) -> Result<Option<Hold>, Error> {
        let limits = self.with_own_rate(*limits);
        let left_ms = match limits.hold(waits, None) {
            Some(Hold::Full { .. } | Hold::Locked { .. }) => self.oldest_lock_ms().await?,
            _ => None,
        };
        Ok(limits.hold(waits, left_ms))
    }

    /// The limits with the rate that holds for this worker, as in BullMQ: how many jobs the queue itself says before
    /// this worker, and within what time this worker before the queue.
    pub(crate) fn with_own_rate(&self, limits: Limits) -> Limits {
        let own = self.options.limiter;
        let own = own.max.map(|max| StoredRate { max, duration_ms: millis(own.duration) });
        let rate = match (limits.rate, own) {
            (Some(StoredRate { max, .. }), Some(own)) => Some(StoredRate { max, ..own }),
            (queues, own) => queues.or(own),
        };
        Limits { rate, ..limits }
    }

    /// Milliseconds until the lock ends of the job that has been active longest, 0 where it has ended; `None`
    /// where none is active or the lock has no end.
    async fn oldest_lock_ms(&self) -> Result<Option<u64>, Error> {
        let oldest = Command::new("LINDEX").arg(self.keys.of("active")).arg("-1").replay_safe();
        let Some(id) = self.redis.call(oldest).await?.as_str().map(str::to_owned) else {
            return Ok(None);
        };
        let key = self.keys.of(&format!("{id}:lock"));
        let left = self.redis.call(Command::new("PTTL").arg(key).replay_safe()).await?;
        Ok(left.as_int().and_then(lock_ms))
    }
}

/// What PTTL says of a lock: -1 is one without an end, -2 none.
pub(crate) fn lock_ms(pttl: i64) -> Option<u64> {
    (pttl != -1).then(|| u64::try_from(pttl).unwrap_or(0))
}

impl Limits {
    /// Why nothing can be claimed, where jobs may wait if it `waits`, and where the lock of the job that has
    /// been active longest ends in `lock_left_ms`.
    pub fn hold(&self, waits: bool, lock_left_ms: Option<u64>) -> Option<Hold> {
        let &Self { concurrency, active, rate, left_ms, .. } = self;
        match self.flow() {
            Flow::Paused => Some(Hold::Paused),
            Flow::Limited => Some(Hold::Limited {
                max: rate.map(|rate| rate.max),
                duration_ms: rate.map(|rate| rate.duration_ms),
                left_ms: left_ms.unwrap_or_default(),
            }),
            Flow::Full => Some(Hold::Full { concurrency, active, left_ms: lock_left_ms }),
            Flow::Running if active > 0 && !waits => {
                Some(Hold::Locked { active, left_ms: lock_left_ms })
            }
            Flow::Running => None,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |ms: u64| format!("{:?}", Duration::from_millis(ms));
        let lock = |left_ms: Option<u64>| match left_ms {
            None => String::new(),
            Some(0) => "; the oldest lock has ended: the next tick takes its job back".to_owned(),
            Some(ms) => format!("; the oldest lock ends in {}", span(ms)),
        };
        match *self {
            Self::Paused => f.write_str("paused: nothing starts until the queue is resumed"),
            Self::Limited { max, duration_ms, left_ms } => {
                let started =
                    max.map_or_else(|| "all that may".to_owned(), |max| format!("{max} jobs"));
                let within =
                    duration_ms.map(|ms| format!(" within {}", span(ms))).unwrap_or_default();
                write!(f, "limited: {started} have started{within}; more may in {}", span(left_ms))
            }
            Self::Full { concurrency, active, left_ms } => {
                let most = concurrency.map(|most| format!(" of {most}")).unwrap_or_default();
                write!(f, "full: {active}{most} jobs are active{}", lock(left_ms))
            }
            Self::Locked { active, left_ms } => {
                write!(f, "locked: none waits, {active} jobs are active{}", lock(left_ms))
            }
        }
    }
}
