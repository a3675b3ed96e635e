//! Lets the fuzz targets reach, past the public API, what reads the jobs of other producers.

use std::collections::HashMap;

use batchmq_redis::Value;

use crate::job::new::{JobOptions, NewJob};
use crate::job::{names, stored};
use crate::life::claim::{self, ClaimedJob};
use crate::schedule::{Dialect, plan};

/// Returns the job in a claim's answer, if there is one.
pub fn claimed_job(answer: &Value) -> Option<ClaimedJob> {
    claim::job(answer)
}

/// Returns the options as they are stored, as JSON text.
///
/// # Errors
/// They cannot be written as JSON.
pub fn stored_options(opts: &JobOptions) -> Result<String, serde_json::Error> {
    serde_json::to_string(&stored::Stored::of(opts))
}

/// Returns why a job is refused, if it is.
pub fn refusal(job: &NewJob) -> Option<String> {
    stored::refusal(job)
}

/// Returns whether a job may have this id.
pub fn may_be_a_job(id: &str) -> bool {
    names::may_be_a_job(id)
}

/// Returns the options, as JSON text, and the time, where it is known, of the job that follows one with
/// these options.
///
/// # Errors
/// The rule cannot be read, for people.
pub fn next_job(
    opts: &str,
    record: &HashMap<String, String>,
    version: Option<Dialect>,
    now_ms: i64,
) -> Result<Option<(String, Option<i64>)>, String> {
    let opts = serde_json::from_str(opts).unwrap_or_default();
    let plan = plan::plan(opts, record, plan::Kind::Scheduler, version, now_ms)?;
    Ok(plan.map(|plan| (serde_json::Value::Object(plan.opts).to_string(), plan.next)))
}
