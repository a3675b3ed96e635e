//! The queue at a glance, for administrators.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::queue::{self, Counts};
use utoipa::ToSchema;

use crate::Api;
use crate::caller::Caller;
use crate::described::ForAdmin;
use crate::error::Error;

/// The queue at a glance.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Queue)]
pub(crate) struct QueueBody {
    /// Its name in BullMQ.
    name: String,
    /// Whether it is paused.
    paused: bool,
    counts: CountsBody,
    /// How long the job that waits longest has waited, in milliseconds; `null` where none waits. In a
    /// long queue only the jobs at its ends, and the first of its lowest priority, are looked at.
    #[schema(required = true)]
    oldest_waiting_ms: Option<i64>,
    throughput: Throughput,
}

/// Jobs per state.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Counts)]
struct CountsBody {
    /// In `wait`, and in `paused` where BullMQ 5 moved them there.
    waiting: u64,
    prioritized: u64,
    delayed: u64,
    active: u64,
    waiting_children: u64,
    completed: u64,
    failed: u64,
}

impl From<Counts> for CountsBody {
    fn from(counts: Counts) -> Self {
        Self {
            waiting: counts.wait + counts.paused,
            prioritized: counts.prioritized,
            delayed: counts.delayed,
            active: counts.active,
            waiting_children: counts.waiting_children,
            completed: counts.completed,
            failed: counts.failed,
        }
    }
}

/// Jobs finished of late: at least so many. Where `QUEUE_METRICS_MINUTES` or another worker counts them,
/// all of them, by whole minutes of the clock with the one that runs; else those that are still kept,
/// which are none where jobs are removed as soon as they end.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Throughput {
    last_minute: FinishedBody,
    last_hour: FinishedBody,
}

/// Finished jobs.
#[derive(Serialize, ToSchema)]
#[schema(as = Finished)]
struct FinishedBody {
    completed: u64,
    failed: u64,
}

impl From<queue::Throughput> for FinishedBody {
    fn from(queue::Throughput { completed, failed, .. }: queue::Throughput) -> Self {
        Self { completed, failed }
    }
}

/// The queue at a glance, for administrators.
#[utoipa::path(
    get,
    path = "/queue",
    tag = "queue",
    responses((status = 200, description = "The queue", body = QueueBody), ForAdmin),
)]
pub(crate) async fn queue(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<QueueBody>, Error> {
    if api.role(&caller.user_id).await? != "ADMIN" {
        return Err(Error::Forbidden("Forbidden resource"));
    }
    let queue = api.queue().ok_or(no_queue())?;
    let overview = queue.overview().await.map_err(not_read)?;
    let age = |added: i64| api.clock().now_ms().saturating_sub(added).max(0);
    Ok(Json(QueueBody {
        name: api.queue_config().name.clone(),
        paused: overview.paused,
        counts: overview.counts.into(),
        oldest_waiting_ms: overview.oldest_waiting_ms.map(age),
        throughput: Throughput {
            last_minute: overview.last_minute.into(),
            last_hour: overview.last_hour.into(),
        },
    }))
}

/// There is no Redis to ask.
pub(crate) const fn no_queue() -> Error {
    Error::Unavailable("Queue functionality unavailable - Redis not configured")
}

/// The queue could not be read.
pub(crate) fn not_read(error: queue::Error) -> Error {
    tracing::error!(%error, "the queue could not be read");
    match error {
        queue::Error::Redis(_) => Error::Unavailable("The queue cannot be reached; try again"),
        _ => Error::Internal,
    }
}
