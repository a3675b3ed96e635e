//! Lets the fuzz targets reach, past the public API, what writes a batch for its receiver and reads the answer.

use std::time::Duration;

use batchmq::{ClaimedJob, Settlement};

use crate::answer::ends;
use crate::options::LockTimes;
use crate::request::Request;

/// Returns the body of a request with `jobs`.
///
/// # Errors
/// It cannot be written as JSON.
pub fn body(jobs: &[&ClaimedJob]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Request::new("queue", "claim", jobs, 0, Duration::from_secs(1)))
}

/// Returns how `jobs` end whose receiver answered `body`.
pub fn settlements(jobs: &[&ClaimedJob], body: &[u8], is_accepted: bool) -> Vec<Settlement> {
    ends(jobs, body, is_accepted, &LockTimes::default()).settlements
}
