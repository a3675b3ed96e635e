//! Shows administrators the queue at a glance.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::engine::{Alive, PastTick, StoppedBecause, alive};
use shared::queue::{self, Counts};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::Api;
use crate::caller::Caller;
use crate::described::ForAdmin;
use crate::error::Error;
use crate::refused::not_done;

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
    /// Left out where no drain gave a sign of life within a day, and none worked within a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    drain: Option<DrainBody>,
}

/// What the drains tell of themselves.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Drain)]
struct DrainBody {
    /// How long ago one last gave a sign of life, in milliseconds: after each tick that had work, and
    /// every 10 minutes while there is none.
    last_seen_ms: i64,
    /// The newest ticks that had work, the newest first.
    #[schema(max_items = 30)]
    ticks: Vec<TickBody>,
}

impl DrainBody {
    fn of(alive: Alive, now_ms: i64) -> Option<Self> {
        Some(Self {
            last_seen_ms: now_ms.saturating_sub(alive.last_seen?).max(0),
            ticks: alive.ticks.into_iter().map(TickBody::from).collect(),
        })
    }
}

/// A tick that had work.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tick)]
struct TickBody {
    /// When it ended, in milliseconds since the Unix epoch.
    at: i64,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// Jobs claimed.
    claimed: u64,
    /// Jobs completed.
    completed: u64,
    /// Jobs failed for good.
    failed: u64,
    /// Jobs that failed and wait for another try.
    retried: u64,
    /// Jobs given back without an attempt counted.
    released: u64,
    /// Commands that Upstash bills.
    billed_commands: u64,
    /// Why it stopped.
    #[schema(schema_with = reasons)]
    stopped_because: StoppedBecause,
    /// What went wrong, when it stopped for that.
    #[schema(required = true)]
    error: Option<String>,
}

impl From<PastTick> for TickBody {
    fn from(tick: PastTick) -> Self {
        Self {
            at: tick.at,
            duration_ms: tick.duration_ms,
            claimed: tick.claimed,
            completed: tick.completed,
            failed: tick.failed,
            retried: tick.retried,
            released: tick.released,
            billed_commands: tick.billed_commands,
            stopped_because: tick.stopped_because,
            error: tick.error,
        }
    }
}

fn reasons() -> Object {
    let reasons = StoppedBecause::ALL.map(|reason| serde_json::json!(reason));
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(reasons)).build()
}

/// Jobs per state.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Counts)]
struct CountsBody {
    /// In `wait`, and in `paused`, where BullMQ 5 and we move them while the queue is paused.
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
    api.admin(&caller.user_id).await?;
    let queue = api.queue().ok_or(no_queue())?;
    let (overview, alive) = tokio::join!(queue.overview(), alive(&queue));
    let overview = overview.map_err(not_read)?;
    // The jobs can be seen whether the drain's signs of life can or not.
    let alive = alive.unwrap_or_else(|error| {
        tracing::warn!(%error, "no heartbeat can be read");
        Alive::default()
    });
    let now_ms = api.clock().now_ms();
    let age = |added: i64| now_ms.saturating_sub(added).max(0);
    Ok(Json(QueueBody {
        name: api.queue_options().name.clone(),
        paused: overview.paused,
        counts: overview.counts.into(),
        oldest_waiting_ms: overview.oldest_waiting_ms.map(age),
        throughput: Throughput {
            last_minute: overview.last_minute.into(),
            last_hour: overview.last_hour.into(),
        },
        drain: DrainBody::of(alive, now_ms),
    }))
}

/// There is no Redis to ask.
pub(crate) const fn no_queue() -> Error {
    Error::Unavailable("Queue functionality unavailable - Redis not configured")
}

/// The queue could not be read.
pub(crate) fn not_read(error: queue::Error) -> Error {
    not_done("the queue could not be read", &error)
}
