//! What a request says about when its jobs are to run, and for how long they stand for others.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use shared::recompute::Timing;
use utoipa::ToSchema;

use crate::error::Error;

const DELAY: &str = "delayMs must be a whole number from 0 to 2592000000";
const DEDUPLICATION: &str = "deduplication must be an object with ttlMs, a whole number from 1 to \
                             2592000000, extend, which is true only beside ttlMs, and replace; \
                             each may be left out";

/// The part of a body that is about time. Its fields are read as they come, so that each has an error of
/// its own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Timing)]
pub(crate) struct TimingBody {
    /// Milliseconds until the jobs' turn; none when left out.
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 2_592_000_000_u64)]
    delay_ms: Option<Value>,
    /// When left out, a job stands for later requests until it has ended.
    #[schema(value_type = Option<DeduplicationBody>)]
    deduplication: Option<Value>,
}

/// For how long a job stands for later requests for its project.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Deduplication)]
pub(crate) struct DeduplicationBody {
    /// Milliseconds from now on, within which requests for the project get this job, even when it has
    /// ended. When left out, until it has ended.
    #[schema(minimum = 1, maximum = 2_592_000_000_u64, value_type = Option<u64>)]
    ttl_ms: Option<Value>,
    /// Whether a request that gets an earlier one's job begins the time anew; only beside `ttlMs`.
    extend: Option<bool>,
    /// Whether an earlier request's job that is still delayed makes place for this one. The time that
    /// runs goes on, unless `extend` begins it anew.
    replace: Option<bool>,
}

impl TimingBody {
    /// What it says.
    pub(crate) fn timing(&self) -> Result<Timing, Error> {
        let bad = Error::bad_request;
        let delay = match &self.delay_ms {
            None => 0,
            Some(delay) => whole(delay).ok_or(bad(DELAY))?,
        };
        let delay = Timing { delay: Duration::from_millis(delay), ..Timing::default() };
        if !delay.is_valid() {
            return Err(bad(DELAY));
        }
        let body = match &self.deduplication {
            None => DeduplicationBody::default(),
            // serde would take an array for a struct.
            Some(value) if value.is_object() => {
                DeduplicationBody::deserialize(value).map_err(|_| bad(DEDUPLICATION))?
            }
            Some(_) => return Err(bad(DEDUPLICATION)),
        };
        let ttl = match &body.ttl_ms {
            None => None,
            Some(ttl) => Some(whole(ttl).ok_or(bad(DEDUPLICATION))?),
        };
        let timing = Timing {
            window: ttl.map(Duration::from_millis),
            extend: body.extend.unwrap_or(false),
            replace: body.replace.unwrap_or(false),
            ..delay
        };
        timing.is_valid().then_some(timing).ok_or(bad(DEDUPLICATION))
    }
}

/// A whole number as JSON's schemas have it: `60000.0` is one, too.
fn whole(value: &Value) -> Option<u64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let fraction = || value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=MOST).contains(n));
    value.as_u64().or_else(|| fraction().map(|n| n as u64))
}
