//! Defines why a queue operation fails.

use crate::operate::refusal::Refusal;

/// Why a queue operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Redis failed.
    #[error(transparent)]
    Redis(#[from] batchmq_redis::Error),
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
