//! The use case: claim, score, persist, settle, until nothing is left to claim.
//!
//! A tick promises at-least-once execution with one effect: a snapshot's id is derived from its
//! job, so a job that runs twice updates its own row; a claim that cannot be finished goes back
//! without costing an attempt; and what another peer owns by now is never settled.

mod batch;
mod limit;
mod pulse;
mod refused;
mod report;
mod request;
mod start;
mod stop;
mod tick;
mod ticks;
mod traced;

pub use pulse::{Alive, PastTick, alive};
pub use report::{Remaining, Report, StoppedBecause};
pub use request::{
    JOB_NAME, JobData, JobResult, Reason, SCHEDULED_PRIORITY, Timing, recompute_job,
};
pub use start::{StartError, open};
pub use stop::{Stop, Stopper};
pub use ticks::Recompute;
