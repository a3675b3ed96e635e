//! The way back for receivers of a queue's jobs that go on with them after their answer: signed, without a
//! user.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use shared::engine::settle;
use shared::http::{CALLBACK_ID, Callback, LockTimes, Secrets, Signature};
use shared::queue::{self, ClaimedJob, Code, Queue, Settlement};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::described::ForReceiver;
use crate::envelope::no_route;
use crate::error::Error;
use crate::queue::no_queue;
use crate::refused::not_done;

/// What the route has in its path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct QueueParam {
    /// The queue's name, percent-encoded.
    queue: String,
}

/// What signs a request, as Standard Webhooks have it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described; `verified` reads it")]
pub(crate) struct SignatureParams {
    /// Anything that begins with `settle_`.
    #[param(rename = "webhook-id", pattern = "^settle_[!-~]*$", max_length = 200)]
    id: String,
    /// Seconds since the epoch, within five minutes of now.
    #[param(rename = "webhook-timestamp", pattern = "^[0-9]{1,12}$")]
    timestamp: String,
    /// `v1,` and the HMAC-SHA256 over id, timestamp and body in base64.
    #[param(rename = "webhook-signature", pattern = "^v1,[A-Za-z0-9+/=]+$", max_length = 500)]
    signature: String,
}

/// What a receiver says of jobs that it went on with.
#[derive(ToSchema)]
#[schema(as = Settle)]
#[expect(dead_code, reason = "only described; `Callback` reads it")]
pub(crate) struct SettleBody {
    /// What came with the jobs.
    #[schema(min_length = 1, max_length = 100)]
    claim: String,
    #[schema(min_items = 1, max_items = 1000)]
    jobs: Vec<SettleJob>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only described")]
pub(crate) struct SettleJob {
    #[schema(min_length = 1, max_length = 1000)]
    id: String,
    status: SettleStatus,
    /// Of a job that completed.
    #[schema(required = false)]
    returnvalue: serde_json::Value,
    /// Why it did not work.
    #[schema(nullable = false)]
    reason: Option<String>,
    /// With `retry`: milliseconds until the next attempt, instead of its backoff.
    #[schema(nullable = false)]
    delay_ms: Option<f64>,
    /// With `working`: milliseconds for which it stays locked, from 1 second to an hour; 5 minutes when left
    /// out.
    #[schema(nullable = false)]
    lock_ms: Option<f64>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum SettleStatus {
    Completed,
    Failed,
    Retry,
    Unrecoverable,
    Postponed,
    Working,
    Accepted,
}

/// What became of the jobs.
#[derive(Serialize, ToSchema)]
#[schema(as = Settled)]
pub(crate) struct SettledBody {
    /// In the order of the request.
    jobs: Vec<SettledJob>,
}

#[derive(Serialize, ToSchema)]
struct SettledJob {
    id: String,
    outcome: SettledAs,
}

/// What became of a job.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SettledAs {
    /// It is done.
    Completed,
    /// It failed for good.
    Failed,
    /// Its attempt failed, and it is tried again.
    Retried,
    /// It waits again, and no attempt is counted.
    Postponed,
    /// It is still the receiver's.
    Working,
    /// It is not the receiver's any more: it has ended, or its lock was over and somebody else has it.
    Refused,
}

impl From<Code> for SettledAs {
    fn from(code: Code) -> Self {
        match code {
            Code::Completed => Self::Completed,
            Code::Failed => Self::Failed,
            Code::Retried => Self::Retried,
            Code::Released => Self::Postponed,
            Code::Kept => Self::Working,
            Code::Refused(_) => Self::Refused,
        }
    }
}

/// Ends jobs that a receiver went on with after its answer, or renews their locks.
///
/// For servers that do the jobs of a queue over HTTP; there is no such route unless `QUEUE_HTTP_SECRET` is
/// set. The same callback may come again: what has ended is refused, and nothing else happens.
#[utoipa::path(
    post,
    path = "/queues/{queue}/settle",
    tag = "queue",
    security(("signature" = [])),
    params(QueueParam, SignatureParams),
    request_body = SettleBody,
    responses((status = 200, description = "What became of them", body = SettledBody), ForReceiver),
)]
pub(crate) async fn callback(
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    name: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SettledBody>, Error> {
    let Some(secrets) = api.secrets() else { return Err(no_route(Method::POST, uri).await) };
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => Error::bad_request("The body ended before its announced length"),
    })?;
    if !is_signed(secrets, &headers, &body, api.clock().now_ms()) {
        return Err(Error::Unauthorized);
    }
    let Path(name) = name.map_err(|_| Error::not_found("Queue not found"))?;
    if !api.is_forwarded(&name) {
        return Err(Error::not_found("Queue not found"));
    }
    let callback = Callback::parse(&body, &LockTimes::default())
        .map_err(|wrong| Error::BadRequest(wrong.into()))?;
    let queue = api.queue_named(&name).ok_or(no_queue())?;
    let outcomes = end(&queue, &callback).await;
    api.last_write().note(&outcomes);
    let outcomes =
        outcomes.map_err(|error| not_done("a callback's jobs were not settled", &error))?;
    let jobs = callback.jobs.into_iter().map(|(id, _)| {
        let outcome = outcomes.get(&id).copied().unwrap_or(SettledAs::Refused);
        SettledJob { id, outcome }
    });
    Ok(Json(SettledBody { jobs: jobs.collect() }))
}

/// Whether somebody with the secret sent this as a callback, in the last five minutes.
fn is_signed(secrets: &Secrets, headers: &HeaderMap, body: &[u8], now_ms: i64) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let given = header("webhook-id").zip(header("webhook-timestamp"));
    let Some(((id, timestamp), signatures)) = given.zip(header("webhook-signature")) else {
        return false;
    };
    // What was sent to a receiver is signed with the same secret, and is no callback.
    if !id.starts_with(CALLBACK_ID) {
        return false;
    }
    match secrets.verify(Signature { id, timestamp, signatures }, body, now_ms) {
        Ok(()) => true,
        Err(reason) => {
            tracing::warn!(%reason, "a callback was refused");
            false
        }
    }
}

/// Ends what is still the receiver's, and says what became of each. What ends is read anew, since its options
/// decide how; a lock is renewed without that.
async fn end(
    queue: &Queue,
    callback: &Callback,
) -> Result<HashMap<String, SettledAs>, queue::Error> {
    let is_kept = |end: &Settlement| matches!(end, Settlement::Keep { .. });
    let (kept, ended): (Vec<_>, Vec<_>) =
        callback.jobs.iter().cloned().partition(|(_, end)| is_kept(end));
    let ids: Vec<String> = ended.iter().map(|(id, _)| id.clone()).collect();
    let held = queue.held(&callback.claim, &ids).await?;
    let mut ends: HashMap<String, Settlement> = ended.into_iter().collect();
    let held = held.into_iter().filter_map(|job| {
        let end = ends.remove(&job.id)?;
        Some((job, end))
    });
    let kept = kept.into_iter().map(|(id, end)| (ClaimedJob { id, ..ClaimedJob::default() }, end));
    let jobs: Vec<(ClaimedJob, Settlement)> = held.chain(kept).collect();
    let settled = settle(queue, &callback.claim, &jobs).await?;
    let codes = settled.codes.into_iter().map(SettledAs::from);
    Ok(jobs.into_iter().map(|(job, _)| job.id).zip(codes).collect())
}
