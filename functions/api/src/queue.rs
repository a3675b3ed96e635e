//! Shows administrators the queue at a glance.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::engine::{Alive, PastTick, StoppedBecause};
use shared::queue::{
    self, FailureGroup, Figure, Hold, MOST_SCHEDULES, Overview, StoredRate, Upcoming,
};
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
    /// When all this was read, in milliseconds since the Unix epoch: who asks within 10 seconds gets what was
    /// read for whoever asked before. What is said to be slow below may be a minute older.
    at: i64,
    /// Whether it is paused.
    paused: bool,
    counts: CountsBody,
    /// How long the job that waited longest had waited when a look last had a command left to find it, in
    /// milliseconds; `null` where none waits, or where no look had. In a long queue only the hundred next jobs
    /// and the first prioritized one are looked at.
    #[schema(required = true)]
    oldest_waiting_ms: Option<i64>,
    /// Why nothing can be claimed; `null` where something can, or where nothing is there.
    #[schema(required = true, value_type = Option<HoldBody>)]
    held: Option<Hold>,
    limits: LimitsBody,
    throughput: Throughput,
    /// The job schedulers, the next due first. Slow; `null` where no look has had a command left for them.
    #[schema(required = true, max_items = 50)]
    schedules: Option<Vec<ScheduleBody>>,
    /// Whether the routes that operate the queue are switched on.
    operations: bool,
    /// Left out where no drain gave a sign of life within a day, and none worked within a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    drain: Option<DrainBody>,
}

/// Why nothing can be claimed.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Held)]
#[expect(dead_code, reason = "only described; `Hold` is what is sent")]
struct HoldBody {
    /// The queue is `paused`; as many jobs have started as the rate limit allows (`limited`); as many are
    /// active as the concurrency allows (`full`); none waits, and those that are active belong to somebody
    /// (`locked`).
    #[schema(pattern = "^(paused|limited|full|locked)$")]
    because: String,
    /// Of `limited`: jobs that may start within `durationMs`.
    #[schema(nullable = true)]
    max: Option<u64>,
    /// Of `limited`: milliseconds.
    #[schema(nullable = true)]
    duration_ms: Option<u64>,
    /// Of `full`: jobs that may be active at once.
    #[schema(nullable = true)]
    concurrency: Option<u64>,
    /// Of `full` and `locked`: jobs that are active.
    #[schema(nullable = false)]
    active: Option<u64>,
    /// Of `limited`: milliseconds until more may start. Of `full` and `locked`: milliseconds until the lock of
    /// the job ends that has been active longest, 0 where it has ended.
    #[schema(nullable = true)]
    left_ms: Option<u64>,
}

/// The queue's own limits, and how much of them is used.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Limits)]
struct LimitsBody {
    /// Jobs that may be active at once; `null` sets no limit.
    #[schema(required = true)]
    concurrency: Option<u64>,
    /// Jobs that may start within a time; `null` sets no limit.
    #[schema(required = true)]
    rate: Option<RateBody>,
    /// Jobs that have started within the time that runs.
    used: u64,
    /// Milliseconds until the time that runs is over; `null` where none runs.
    #[schema(required = true)]
    left_ms: Option<u64>,
}

/// At most `max` jobs start within `durationMs`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Rate)]
pub(crate) struct RateBody {
    max: u64,
    duration_ms: u64,
}

impl From<StoredRate> for RateBody {
    fn from(StoredRate { max, duration_ms }: StoredRate) -> Self {
        Self { max, duration_ms }
    }
}

/// A job scheduler.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Schedule)]
struct ScheduleBody {
    id: String,
    /// When its next job is due, in milliseconds since the Unix epoch; past where that waits or is gone.
    next: i64,
}

impl From<&Upcoming> for ScheduleBody {
    fn from(upcoming: &Upcoming) -> Self {
        Self { id: upcoming.id.clone(), next: upcoming.next_ms }
    }
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
    /// As of when a look last had a command left for them; `null` where none has had.
    #[schema(required = true)]
    prioritized: Option<u64>,
    /// The same.
    #[schema(required = true)]
    delayed: Option<u64>,
    active: u64,
    /// The same.
    #[schema(required = true)]
    waiting_children: Option<u64>,
    /// Those that are kept. Slow; `null` where no look has had a command left for them.
    #[schema(required = true)]
    completed: Option<u64>,
    failed: u64,
}

impl From<&Overview> for CountsBody {
    fn from(look: &Overview) -> Self {
        let counts = look.counts;
        let value = |seen: Option<Figure<u64>>| seen.map(|figure| figure.value);
        Self {
            waiting: counts.wait + counts.paused,
            prioritized: value(counts.prioritized),
            delayed: value(counts.delayed),
            active: counts.active,
            waiting_children: value(counts.waiting_children),
            completed: value(counts.completed),
            failed: counts.failed,
        }
    }
}

/// Jobs finished of late. Slow.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Throughput {
    last_minute: FinishedBody,
    last_hour: FinishedBody,
}

/// Finished jobs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Finished)]
struct FinishedBody {
    completed: u64,
    failed: u64,
    /// `metrics`: all of them, by whole minutes of the clock with the one that runs, where
    /// `QUEUE_METRICS_MINUTES` or another worker counts them. `ticks`: all that drains ended. `atleast`: so
    /// many are known of, those that are kept or that drains told of; there may have been more.
    #[schema(schema_with = counted)]
    counted: queue::Counted,
}

fn counted() -> Object {
    let words = ["metrics", "ticks", "atleast"];
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

impl From<queue::Throughput> for FinishedBody {
    fn from(ended: queue::Throughput) -> Self {
        let queue::Throughput { completed, failed, counted, .. } = ended;
        Self { completed, failed, counted }
    }
}

/// The queue at a glance, for administrators. At most 10 billed commands, for all who ask within 10 seconds.
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
    let look = api.looks().overview(&api).await?;
    let now_ms = api.clock().now_ms();
    // A job that waited longest then may have been taken since.
    let oldest = look.oldest_waiting_ms.and_then(|read| Some((read.at_ms, read.value?)));
    let heartbeat = look.heartbeat.as_ref().map(|read| read.value.clone());
    let alive = heartbeat.map(Alive::from).unwrap_or_default();
    let ended = |minutes| {
        let ticks = alive.ended(minutes, look.at_ms);
        look.throughput(minutes).unwrap_or_default().or(ticks).into()
    };
    let limits = &look.limits;
    Ok(Json(QueueBody {
        name: api.queue_options().name.clone(),
        at: look.at_ms,
        paused: limits.paused,
        counts: look.as_ref().into(),
        oldest_waiting_ms: oldest.map(|(at, added)| at.saturating_sub(added).max(0)),
        held: look.hold,
        limits: LimitsBody {
            concurrency: limits.concurrency,
            rate: limits.rate.map(RateBody::from),
            used: limits.used,
            left_ms: limits.left_ms,
        },
        throughput: Throughput { last_minute: ended(1), last_hour: ended(60) },
        schedules: look
            .schedules
            .as_ref()
            .map(|read| read.value.iter().take(MOST_SCHEDULES).map(ScheduleBody::from).collect()),
        operations: api.queue_operations(),
        drain: DrainBody::of(alive, now_ms),
    }))
}

/// Why jobs failed of late.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Failures)]
pub(crate) struct FailuresBody {
    /// When this was read, in milliseconds since the Unix epoch: who asks within 30 seconds gets what was
    /// read for whoever asked before.
    at: i64,
    /// The largest group first.
    #[schema(max_items = 200)]
    failures: Vec<FailuresOf>,
}

/// Failed jobs that have one reason, but for the ids and numbers in it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FailureGroup)]
struct FailuresOf {
    /// The first 500 bytes of it, with `…` for each word that differs among them.
    reason: String,
    /// With this as its `reason`, `POST /queue/retry` takes them all, and whatever else has all that stands around
    /// its `…`.
    text: String,
    /// How many of the newest 200 failed jobs have it.
    count: u64,
    /// When the newest of them failed, in milliseconds since the Unix epoch.
    newest: i64,
    /// The newest of them.
    #[schema(max_items = 10)]
    job_ids: Vec<String>,
}

impl From<FailureGroup> for FailuresOf {
    fn from(group: FailureGroup) -> Self {
        let FailureGroup { reason, text, count, newest, job_ids, .. } = group;
        Self { reason, text, count, newest, job_ids }
    }
}

/// Why the newest 200 failed jobs failed, for administrators. Two billed commands, and one for each job that
/// this process has not seen yet.
#[utoipa::path(
    get,
    path = "/queue/failures",
    tag = "queue",
    responses((status = 200, description = "The groups", body = FailuresBody), ForAdmin),
)]
pub(crate) async fn failures(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<FailuresBody>, Error> {
    api.admin(&caller.user_id).await?;
    let failures = api.looks().failures(&api).await?;
    let groups = failures.groups().into_iter().map(FailuresOf::from).collect();
    Ok(Json(FailuresBody { at: failures.at_ms, failures: groups }))
}

/// There is no Redis to ask.
pub(crate) const fn no_queue() -> Error {
    Error::Unavailable("Queue functionality unavailable - Redis not configured")
}

/// The queue could not be read.
pub(crate) fn not_read(error: queue::Error) -> Error {
    not_done("the queue could not be read", &error)
}
