//! Defines how jobs end, and what became of that.

use std::time::Duration;

use crate::look::peek::Occupied;

/// How one job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It worked; the return value as JSON text.
    Complete(String),
    /// It did not work; its own options decide whether it is tried again.
    Failed(String),
    /// It did not work, and is tried again after so long instead of after its backoff; once its
    /// attempts are used up it fails.
    RetryAfter {
        /// Why it did not work.
        reason: String,
        /// Until the next try.
        wait: Duration,
    },
    /// It can never work: no more tries, whatever its options say.
    Unrecoverable(String),
    /// It was not begun: it goes back to the front of the queue and no attempt is counted.
    Release,
    /// It could not be done now, and it is not to blame: it goes to the back of the queue, so that
    /// what cannot be done holds up nothing else, and no attempt is counted.
    Postpone,
    /// It has not ended: somebody else works on it by now, and settles or renews it under the same token.
    /// It stays active, and its lock lives so long from now on, unless it is not ours any more.
    Keep {
        /// How long its lock is to live.
        lock: Duration,
    },
}

/// What Redis said to one settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Completed.
    Completed,
    /// Failed for good.
    Failed,
    /// Waits for another try.
    Retried,
    /// Waits again, no attempt counted.
    Released,
    /// Still active, under its claim's token.
    Kept,
    /// Not settled, by BullMQ's code: -4 or -9, it must not complete (see [`Code::instead`]); others,
    /// the job is not ours any more and its result is dropped.
    Refused(i64),
}

impl Code {
    /// How a job is to end that was to complete and is refused over its children: as with a BullMQ
    /// worker, which meets the refusal as an error of the job. `None` for every other code.
    pub fn instead(self, id: &str) -> Option<Settlement> {
        match self {
            Self::Refused(-4) => Some(Settlement::Failed(format!(
                "Job {id} has pending dependencies. moveToFinished"
            ))),
            Self::Refused(-9) => Some(Settlement::Unrecoverable(format!(
                "Cannot complete job {id} because it has at least one failed child. moveToFinished"
            ))),
            _ => None,
        }
    }
}

/// What became of a batch.
///
/// ```no_run
/// use batchmq::{Claim, Code, Error, Queue, Settlement};
///
/// # async fn example(queue: &Queue, claim: Claim) -> Result<(), Error> {
/// let end = |job| (job, Settlement::Complete("null".to_owned()));
/// let jobs: Vec<_> = claim.jobs.into_iter().map(end).collect();
/// let settled = queue.settle(&claim.token, &jobs).await?;
/// for ((job, _), code) in jobs.iter().zip(settled.codes) {
///     match code.instead(&job.id) {
///         Some(other) => println!("{} may not complete: {other:?}", job.id),
///         None => println!("{}: {}", job.id, code == Code::Completed),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settled {
    /// One a job, in order.
    pub codes: Vec<Code>,
    /// Jobs that a duplicate had asked for while theirs was active; they wait now.
    pub requeued: u64,
    /// Ids that fell due without a job behind them, found on the way; they are gone from the queue.
    pub missing: Vec<String>,
    /// Which states hold jobs afterwards, as [`Queue::peek`] tells it but for schedulers, where that
    /// takes no command more: a call that claims nothing, of up to ten jobs that all completed, that
    /// have no parents, and after which nothing is to be added. `None` where it is not known.
    pub occupied: Option<Occupied>,
}
