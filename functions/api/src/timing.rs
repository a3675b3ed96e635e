//! What a request says about when its job is to run, and for how long that stands for others.

use std::time::Duration;

use serde::Deserialize;
use shared::recompute::Timing;
use utoipa::ToSchema;

/// Milliseconds until a job's turn.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(try_from = "u64")]
#[schema(value_type = u64, minimum = 0, maximum = 2_592_000_000_u64)]
pub(crate) struct DelayMs(u64);

impl TryFrom<u64> for DelayMs {
    type Error = &'static str;

    fn try_from(ms: u64) -> Result<Self, Self::Error> {
        let delay = Duration::from_millis(ms);
        Timing { delay, ..Timing::default() }.is_valid().then_some(Self(ms)).ok_or("too long")
    }
}

/// For how long the job stands for later requests for its project.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(try_from = "Given")]
#[serde(rename_all = "camelCase")]
#[schema(as = Deduplication)]
pub(crate) struct DeduplicationBody {
    /// Milliseconds from now on, within which requests for the project get this job, even when it has
    /// ended. When left out, until it has ended.
    #[schema(minimum = 1, maximum = 2_592_000_000_u64)]
    ttl_ms: Option<u64>,
    /// Whether a request that gets an earlier one's job begins the time anew; only beside `ttlMs`.
    extend: Option<bool>,
    /// Whether an earlier request's job that is still delayed makes place for this one.
    replace: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    ttl_ms: Option<u64>,
    extend: Option<bool>,
    replace: Option<bool>,
}

impl TryFrom<Given> for DeduplicationBody {
    type Error = &'static str;

    fn try_from(Given { ttl_ms, extend, replace }: Given) -> Result<Self, Self::Error> {
        let body = Self { ttl_ms, extend, replace };
        timing(None, Some(body)).is_valid().then_some(body).ok_or("no such window")
    }
}

/// Both together.
pub(crate) fn timing(delay: Option<DelayMs>, body: Option<DeduplicationBody>) -> Timing {
    let body = body.unwrap_or_default();
    Timing {
        delay: Duration::from_millis(delay.map_or(0, |DelayMs(ms)| ms)),
        window: body.ttl_ms.map(Duration::from_millis),
        extend: body.extend.unwrap_or(false),
        replace: body.replace.unwrap_or(false),
    }
}
