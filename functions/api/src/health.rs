//! Tells whether the parts that a request needs are there.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::queue::Queue;
use shared::redis::Command;
use shared::store::Health;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use crate::Api;
use crate::envelope::ErrorBody;
use crate::error::Error;
use crate::input::Params;
use crate::refused::Refusal;

/// The longest one check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// The whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ServiceStatus)]
enum Overall {
    /// Everything that is configured answers, as far as is known.
    Ok,
    /// Something does not, or Redis refused the last write.
    Degraded,
}

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PartStatus)]
enum Part {
    /// It answers.
    Ok,
    /// It does not.
    Error,
    /// Nobody has asked yet.
    Unknown,
    /// There is none.
    NotConfigured,
}

/// The state of the service.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthBody {
    status: Overall,
    redis: RedisHealth,
    database: DatabaseHealth,
    /// With `?deep=1`: the drains' signs of life.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    drain: Option<DrainHealth>,
}

/// The drains, by the signs of life that they leave in the queue. How old a sign is too old depends on
/// the schedule; so this says when it was, and does not judge.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DrainHealth {
    /// How long ago one last gave a sign of life, in milliseconds: after each tick that had work, and
    /// every 10 minutes while there is none. `null` where none is known.
    #[schema(required = true)]
    last_seen_ms: Option<i64>,
}

/// Redis, asked now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RedisHealth {
    status: Part,
    /// How long PING took, in milliseconds.
    #[schema(required = true)]
    latency_ms: Option<f64>,
    /// `rest` or `tcp`.
    #[schema(required = true)]
    transport: Option<&'static str>,
    /// Why it refused the last write that was asked for here; left out where it took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refuses: Option<Refusal>,
}

/// Postgres, as it was last seen; asked now with `?deep=1`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DatabaseHealth {
    status: Part,
    /// How long the question took, where it was asked now, in milliseconds.
    #[schema(required = true)]
    latency_ms: Option<f64>,
}

/// The state of the service.
///
/// Redis is asked, and has to have taken the last write that was asked for here. The database's state is what the last request that needed it found, so that a monitor
/// does not keep a sleeping database awake; `deep=1` asks it, too.
#[utoipa::path(
    get,
    path = "/health",
    tag = "operation",
    security(()),
    params(("deep" = Option<String>, Query, description = "`1`: ask the database and for the drains, too",
        pattern = "^[01]$")),
    responses(
        (status = 200, description = "All is well, as far as is known", body = HealthBody),
        (status = 400, description = "The request is not of the documented form", body = ErrorBody),
        (status = 503, body = HealthBody, description = "A part does not answer, or Redis refused the last write"),
    ),
)]
pub(crate) async fn health(State(api): State<Api>, params: Params) -> Result<Response, Error> {
    let deep = match params.get("deep")? {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return Err(Error::bad_request("deep must be 0 or 1")),
    };
    let (redis, database, drain) =
        tokio::join!(redis(&api), database(&api, deep), drain(&api, deep));
    let fails = |part| matches!(part, Part::Error);
    // Without Redis the queue is switched off; without a database nothing can be answered.
    let degraded = fails(redis.status)
        || redis.refuses.is_some()
        || fails(database.status)
        || database.status == Part::NotConfigured;
    let (code, status) = if degraded {
        (StatusCode::SERVICE_UNAVAILABLE, Overall::Degraded)
    } else {
        (StatusCode::OK, Overall::Ok)
    };
    let body = HealthBody { status, redis, database, drain };
    Ok((code, Json(body)).into_response())
}

async fn redis(api: &Api) -> RedisHealth {
    let Some(redis) = api.redis() else {
        let status = Part::NotConfigured;
        return RedisHealth { status, latency_ms: None, transport: None, refuses: None };
    };
    let started = Instant::now();
    let ping = redis.until(started + CHECK_LIMIT);
    let answer = timeout(CHECK_LIMIT, ping.call(Command::new("PING").replay_safe())).await;
    let status = match answer {
        Ok(Ok(_)) => Part::Ok,
        Ok(Err(error)) => {
            tracing::warn!(%error, "Redis failed its health check");
            Part::Error
        }
        Err(_) => Part::Error,
    };
    let (latency_ms, transport) = (Some(ms(started)), Some(redis.transport()));
    RedisHealth { status, latency_ms, transport, refuses: refuses(api, started).await }
}

/// Why Redis refuses to write, as far as is known: a look at a healthy one takes no command more.
async fn refuses(api: &Api, started: Instant) -> Option<Refusal> {
    let refused = api.last_write().refused()?;
    let redis = api.redis()?.until(started + CHECK_LIMIT);
    let queue = Queue::new(redis, api.queue_options(), api.clock().clone());
    let left = CHECK_LIMIT.saturating_sub(started.elapsed());
    timeout(left, api.last_write().still_refused(&queue)).await.unwrap_or(Some(refused))
}

/// Asked only where a deep look is: a monitor that looks each minute pays for one command a look.
async fn drain(api: &Api, deep: bool) -> Option<DrainHealth> {
    let redis = api.redis().filter(|_| deep)?.until(Instant::now() + CHECK_LIMIT);
    let queue = Queue::new(redis, api.queue_options(), api.clock().clone());
    let last_seen = match timeout(CHECK_LIMIT, queue.heartbeat(1)).await {
        Ok(Ok(heartbeat)) => heartbeat.last_ms,
        // That Redis fails is told beside it.
        Ok(Err(_)) | Err(_) => None,
    };
    let age = |at: i64| api.clock().now_ms().saturating_sub(at).max(0);
    Some(DrainHealth { last_seen_ms: last_seen.map(age) })
}

async fn database(api: &Api, deep: bool) -> DatabaseHealth {
    let Some(store) = api.store() else {
        return DatabaseHealth { status: Part::NotConfigured, latency_ms: None };
    };
    if !deep {
        let status = match store.health() {
            Health::Up => Part::Ok,
            Health::Down => Part::Error,
            Health::Unknown => Part::Unknown,
        };
        return DatabaseHealth { status, latency_ms: None };
    }
    let started = Instant::now();
    // The question goes on when we stop waiting: a database that is waking up is awake the next
    // time, and one that is down is known to be.
    let store = store.clone();
    let ping = tokio::spawn(async move { store.ping().await });
    let status = match timeout(CHECK_LIMIT, ping).await {
        Ok(Ok(Ok(()))) => Part::Ok,
        Ok(Ok(Err(error))) => {
            tracing::warn!(%error, "the database failed its health check");
            Part::Error
        }
        Ok(Err(_)) | Err(_) => Part::Error,
    };
    DatabaseHealth { status, latency_ms: Some(ms(started)) }
}

fn ms(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
