//! Defines what the queue refuses to do, in BullMQ's words.

/// Why an operation was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// BullMQ's code -1.
    #[error("Missing key for job {id}. {command}")]
    Missing {
        /// The job.
        id: String,
        /// What was asked, by BullMQ's name.
        command: &'static str,
    },
    /// The name is that of a key of the queue's own, or of one beside a job.
    #[error("there is no job {id}: that is the name of another key of the queue")]
    NotAJob {
        /// What was taken for a job.
        id: String,
    },
    /// The job, or a child that its parent waits for, is being processed.
    #[error("Job {id} could not be removed because it is locked by another worker")]
    Locked {
        /// The job.
        id: String,
    },
    /// BullMQ's code -8: without its next job the schedule would end.
    #[error("Job {id} belongs to a job scheduler and cannot be removed directly. removeJob")]
    OfScheduler {
        /// The job.
        id: String,
    },
    /// BullMQ's code -3.
    #[error("Job {id} is not in the {state} state. {command}")]
    NotInState {
        /// The job.
        id: String,
        /// Where it would have to be.
        state: &'static str,
        /// What was asked, by BullMQ's name.
        command: &'static str,
    },
    /// A parent of a flow waits for its children, however long.
    #[error("jobs in waiting-children cannot be cleaned: they end with their children")]
    NotCleanable,
    /// Only a paused queue can be obliterated.
    #[error("Cannot obliterate non-paused queue")]
    NotPaused,
    /// Jobs are being processed.
    #[error("Cannot obliterate queue with active jobs")]
    ActiveJobs,
    /// BullMQ's code -10: a job of the scheduler's next time exists.
    #[error("Cannot create job scheduler iteration - job ID already exists. addJobScheduler")]
    IterationExists,
    /// BullMQ's code -11: jobs of all its next times exist.
    #[error(
        "Cannot create job scheduler iteration - current and next time slots already have jobs. \
         addJobScheduler"
    )]
    SlotsBusy,
    /// Nobody has made this queue yet.
    #[error("there is no queue {queue}; check its name and its prefix")]
    NoQueue {
        /// Its prefix and name.
        queue: String,
    },
    /// It would be every failed job's.
    #[error("a reason needs some text to look for; all failed jobs are retried without one")]
    NoReason,
    /// A schedule that BullMQ would not accept, or could not follow.
    #[error("{0}")]
    Schedule(String),
}
