//! BullMQ's queue, in batches.

mod job;

pub use job::{Added, Backoff, Counts, Deduplication, JobOptions, KeepJobs, NewJob, Outcome};

use crate::clock::Clock;
use crate::config::QueueConfig;
use crate::redis::{self, Redis};

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
    /// The queue holds something that is not of BullMQ's form.
    #[error("{0}")]
    Protocol(String),
}

/// One queue on one Redis. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue {}

impl Queue {
    /// The queue that `config` names.
    pub fn new(_redis: Redis, _config: &QueueConfig, _clock: Clock) -> Self {
        todo!()
    }

    /// Adds jobs, in order, in one script call a chunk; one answer per job, in order.
    ///
    /// # Errors
    /// [`Error::Invalid`] when BullMQ would refuse a job; then nothing was written.
    pub async fn enqueue(&self, _jobs: &[NewJob]) -> Result<Vec<Added>, Error> {
        todo!()
    }

    /// How many jobs are in each state.
    pub async fn counts(&self) -> Result<Counts, Error> {
        todo!()
    }
}
