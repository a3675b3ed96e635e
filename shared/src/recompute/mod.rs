//! Implements the use case: the jobs that ask for a project's score, and the handler that computes it.

mod batch;
mod data;
mod handler;
mod request;
mod start;

pub use batch::{COALESCED, DATABASE_MS, MALFORMED_ROWS};
pub use data::{JobData, JobResult, MalformedData, Reason};
pub use handler::{Recompute, tick_options, ticker};
pub use request::{JOB_NAME, SCHEDULED_PRIORITY, Timing, recompute_job};
pub use start::{StartError, open, open_store};
