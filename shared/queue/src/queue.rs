//! Describes a queue: its keys on one Redis, and how it is used.

use batchmq_redis::Redis;

use crate::clock::Clock;
use crate::keys::Keys;
use crate::options::QueueOptions;

/// One queue on one Redis. Clones share the connection and its meter.
///
/// ```no_run
/// use std::time::Duration;
///
/// use batchmq::clock::Clock;
/// use batchmq::{Events, Limiter, Queue, QueueOptions};
/// use batchmq_redis::Redis;
///
/// # fn example(redis: Redis) {
/// let options = QueueOptions {
///     events: Events::Final,
///     limiter: Limiter { max: Some(100), duration: Duration::from_secs(1) },
///     ..QueueOptions::new("mail")
/// };
/// let queue = Queue::new(redis, &options, Clock::System);
/// // What this handle does is counted apart.
/// let apart = queue.over(queue.redis().metered());
/// assert_eq!((apart.options().prefix.as_str(), apart.redis().usage().billed), ("bull", 0));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Queue {
    pub(crate) redis: Redis,
    pub(crate) keys: Keys,
    pub(crate) options: QueueOptions,
    pub(crate) clock: Clock,
}

impl Queue {
    /// Opens the queue that `options` name on `redis`. Sends nothing.
    pub fn new(redis: Redis, options: &QueueOptions, clock: Clock) -> Self {
        let keys = Keys::new(&options.prefix, &options.name);
        Self { redis, keys, options: options.clone(), clock }
    }

    /// Returns the same queue over another handle of the client, which has its own meter or deadline.
    #[must_use]
    pub fn over(&self, redis: Redis) -> Self {
        Self { redis, ..self.clone() }
    }

    /// Returns the client under the queue.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Returns the options that the queue was opened with.
    pub fn options(&self) -> &QueueOptions {
        &self.options
    }
}
