//! BullMQ's queue, in batches: one script call adds, claims or settles many jobs.
//!
//! The layout in Redis is BullMQ's own (versions 5 and 6), so that its producers, workers and
//! dashboards work on the same queue at the same time. What differs is the price: variadic
//! commands over a whole batch, and one round trip where BullMQ needs one a job.
//!
//! - [`Queue::enqueue`]: [`NewJob`]s in, one [`Added`] each out; [`Queue::add`] also tells whether
//!   a sleeping drain should be woken.
//! - [`Queue::peek`]: which states hold jobs, for one billed command.
//! - [`Queue::claim`], [`Queue::settle`], [`Queue::settle_and_claim`]: the work.
//! - [`Queue::wait_for_work`]: sleeping until there is some, over TCP.
//! - [`Queue::renew`]: locks that must outlast a long batch.
//! - [`Queue::recover`]: jobs whose owner died go back.
//! - [`Queue::overview`], [`Queue::counts`], [`Queue::jobs`], [`Queue::job`]: looking in from
//!   outside.
//! - [`Queue::pause`], [`Queue::retry`], [`Queue::promote`], [`Queue::remove`], [`Queue::clean`],
//!   [`Queue::obliterate`], [`Queue::limit_concurrency`], [`Queue::limit_rate`]: an operator's hand.
//! - [`Queue::beat`], [`Queue::heartbeat`]: signs of life of those who work.
//! - [`schedule`]: job schedulers.

mod bookmark;
mod browse;
mod claim;
mod clean;
mod enqueue;
mod heartbeat;
mod inspect;
mod job;
mod keys;
mod limits;
mod marker;
mod names;
mod oldest;
mod operate;
mod options;
mod overview;
mod pause;
mod peek;
mod policy;
mod recover;
mod refusal;
mod remove;
mod renew;
mod replay;
mod revive;
pub mod schedule;
mod scripts;
mod settle;
mod shrink;
mod throughput;

pub use browse::{JobLine, Logs, MOST_PER_PAGE, PriorityCount, Shelf};
pub use claim::{Claim, ClaimRequest, ClaimStatus, ClaimedJob};
pub use clean::Cleanable;
pub use heartbeat::{Beat, Heartbeat, MOST_BEATS};
pub use inspect::{JobState, JobView};
pub use job::{
    Added, Backoff, Counts, Deduplication, Enqueued, JobOptions, KeepJobs, NewJob, Outcome,
};
pub use limits::{Flow, Limits, RateLimit, StoredRate};
pub use marker::Waited;
pub use overview::Overview;
pub use peek::Occupied;
pub use policy::{Ending, StoredOptions};
pub use recover::Recovered;
pub use refusal::Refusal;
pub use revive::Ended;
pub use scripts::script_sizes;
pub use settle::{Code, Settled, Settlement};
pub use throughput::Throughput;

use std::collections::HashMap;

use crate::clock::Clock;
use crate::config::QueueConfig;
use crate::redis::{self, Redis, Value};
use keys::Keys;

/// Why a queue operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Redis failed.
    #[error(transparent)]
    Redis(#[from] redis::Error),
    /// A job that must not be added; nothing was written.
    #[error("job {index}: {reason}")]
    Invalid {
        /// Its place in the call.
        index: usize,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// Refused as BullMQ would, for a reason; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A script answered something that is not of its form.
    #[error("{0} answered something that this version does not understand")]
    Protocol(&'static str),
}

/// One queue on one Redis. Clones share the connection and its meter.
#[derive(Clone, Debug)]
pub struct Queue {
    redis: Redis,
    keys: Keys,
    config: QueueConfig,
    clock: Clock,
}

impl Queue {
    /// The queue that `config` names, on `redis`.
    pub fn new(redis: Redis, config: &QueueConfig, clock: Clock) -> Self {
        Self { redis, keys: Keys::new(&config.prefix, &config.name), config: config.clone(), clock }
    }

    /// The same queue over another handle of the client (its own meter or deadline).
    #[must_use]
    pub fn over(&self, redis: Redis) -> Self {
        Self { redis, ..self.clone() }
    }

    /// The client under the queue.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// The settings that the queue was made with.
    pub fn config(&self) -> &QueueConfig {
        &self.config
    }
}

/// Strings out of an array answer.
fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| Some(text(item.as_bytes()?))).collect()
}

/// An id out of whatever bytes a peer wrote: those that are not UTF-8 stand in it as `\xff`.
fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out
}

/// A field's text. Not as [`text`] has it: in JSON `\xff` would make all of it unreadable.
fn lossy(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

/// Fields out of an answer to HGETALL.
fn fields(answer: &Value) -> Result<HashMap<String, String>, Error> {
    let items = answer.as_array().ok_or(Error::Protocol("HGETALL"))?;
    Ok(items.chunks_exact(2).map(|pair| (lossy(&pair[0]), lossy(&pair[1]))).collect())
}
