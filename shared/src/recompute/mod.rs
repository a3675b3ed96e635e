//! The use case: claim, score, persist, settle.

mod request;

pub use request::{JobData, JobResult, Reason, recompute_job};
