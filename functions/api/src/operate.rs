//! Operates the queue, for administrators, where `API_QUEUE_OPERATIONS` switches that on: pausing, resuming,
//! retrying what failed for a reason, promoting what is delayed, and limits.
//!
//! Each call is bounded, and may be sent again: what is done already stays done. Each is written to the log, one
//! that failed, too: who, what, and how many jobs.

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::State;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use shared::queue::{
    Error as QueueError, Flow, Queue, RateLimit, Refusal, RetryFrom, State as JobState,
};
use shared::store::is_id;
use utoipa::ToSchema;

use crate::Api;
use crate::caller::Caller;
use crate::described::ForOperator;
use crate::error::Error;
use crate::input::{Body, Form};
use crate::queue::{RateBody, no_queue, not_read};
use crate::refused::answer;

/// The longest reason that may be asked for, in bytes.
const MAX_REASON: usize = 2_000;

/// What became of the queue.
#[derive(Serialize, ToSchema)]
#[schema(as = Paused)]
pub(crate) struct PausedBody {
    /// Whether it is paused.
    paused: bool,
}

/// What to retry.
#[derive(Deserialize, ToSchema)]
#[schema(as = Retry)]
pub(crate) struct RetryBody {
    /// Failed jobs whose reason contains this text, as it is written, but for `…`, which stands for anything.
    #[schema(min_length = 1, max_length = 2000)]
    reason: String,
    /// `next` of the answer before.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, pattern = "^[0-9]{1,16}-[0-9]{1,20}$")]
    from: Option<String>,
}

impl Form for RetryBody {
    const EXPECTED: &'static str = "The body must be an object with a reason of 1 to 2000 bytes, and from, if any, the next of the \
         answer before";

    fn is_valid(&self) -> bool {
        (1..=MAX_REASON).contains(&self.reason.len())
            && self.from.as_deref().is_none_or(|from| from.parse::<RetryFrom>().is_ok())
    }
}

/// What was retried.
#[derive(Serialize, ToSchema)]
#[schema(as = Retried)]
pub(crate) struct RetriedBody {
    /// Jobs that wait again.
    retried: u64,
    /// Jobs that have failed, for whatever reason, and have not been retried.
    left: u64,
    /// What to pass as `from` to look through more of them; `null` where all were looked at. A call looks
    /// through about 500, of those that had failed by the first call: what fails meanwhile is left alone.
    #[schema(required = true)]
    next: Option<String>,
}

/// What to promote.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Promote)]
pub(crate) struct PromoteBody {
    /// This delayed job; when left out, the next 500 due.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 191)]
    job_id: Option<String>,
}

impl Form for PromoteBody {
    const EXPECTED: &'static str =
        "The body must be empty or an object whose jobId, if any, is an id of 1 to 191 characters";

    fn is_valid(&self) -> bool {
        self.job_id.as_deref().is_none_or(is_id)
    }
}

/// What was promoted.
#[derive(Serialize, ToSchema)]
#[schema(as = Promoted)]
pub(crate) struct PromotedBody {
    /// Jobs that wait for nothing but their turn.
    promoted: u64,
    /// Jobs that are still delayed.
    left: u64,
}

/// Limits to set or to lift; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = Limit)]
pub(crate) struct LimitBody {
    /// At most so many jobs are active at once; `null` lifts the limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 4_294_967_295_u32)]
    concurrency: Option<Option<NonZeroU32>>,
    /// At most so many jobs start within a time; `null` lifts the limit.
    #[serde(default, deserialize_with = "given_object")]
    #[schema(value_type = Option<NewRate>)]
    rate: Option<Option<NewRate>>,
}

/// At most `max` jobs start within `durationMs`.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewRate {
    #[schema(value_type = u32, minimum = 1, maximum = 4_294_967_295_u32)]
    max: NonZeroU32,
    /// Milliseconds.
    #[schema(value_type = u32, minimum = 1, maximum = 4_294_967_295_u32)]
    duration_ms: NonZeroU32,
}

impl Form for LimitBody {
    const EXPECTED: &'static str = "The body must be an object with concurrency, a whole number from 1 or null, or rate, an object with \
         max and durationMs, whole numbers from 1, or null, or both";

    fn is_valid(&self) -> bool {
        self.concurrency.is_some() || self.rate.is_some()
    }
}

/// What is there, `null` too: only what is left out is none.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// The same of an object alone: serde would take an array for a struct.
fn given_object<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<NewRate>>, D::Error> {
    let fields = Option::<Map<String, Value>>::deserialize(value)?;
    let read = fields.map(|fields| serde_json::from_value(Value::Object(fields))).transpose();
    read.map(Some).map_err(D::Error::custom)
}

/// The limits that hold now.
#[derive(Serialize, ToSchema)]
#[schema(as = LimitsSet)]
pub(crate) struct LimitsSetBody {
    /// Jobs that may be active at once; `null` sets no limit.
    #[schema(required = true)]
    concurrency: Option<u64>,
    /// Jobs that may start within a time; `null` sets no limit.
    #[schema(required = true)]
    rate: Option<RateBody>,
}

impl Api {
    /// The queue, for an administrator who may operate it. An attempt is on record, whatever comes of it.
    async fn operated(&self, caller: &Caller, operation: &'static str) -> Result<Queue, Error> {
        let user = caller.user_id.as_str();
        tracing::info!(user, operation, "the queue is to be operated");
        self.admin(&caller.user_id).await?;
        if !self.queue_operations() {
            return Err(Error::OperationsOff);
        }
        self.queue().ok_or(no_queue())
    }

    /// Tells how an operation ended: to the log, to the looks, and to the client where it failed.
    fn told<T>(
        &self,
        caller: &Caller,
        operation: &str,
        ended: Result<T, QueueError>,
        jobs: impl Fn(&T) -> u64,
    ) -> Result<T, Error> {
        self.looks().forget();
        self.last_write().note(&ended);
        let user = caller.user_id.as_str();
        let error = match ended {
            Ok(done) => {
                tracing::info!(user, operation, jobs = jobs(&done), "the queue was operated");
                return Ok(done);
            }
            Err(error) => error,
        };
        // It may have been done all the same, where the answer was lost.
        tracing::warn!(user, operation, %error, "the queue was not operated");
        Err(match &error {
            QueueError::Refused(refusal) => refused(refusal),
            error => answer(error),
        })
    }
}

/// What the queue will not do.
fn refused(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::Missing { .. } | Refusal::NotAJob { .. } => Error::not_found("Job not found"),
        Refusal::NotInState { .. } => Error::bad_request("The job is not delayed"),
        Refusal::NoReason => Error::bad_request("The reason has no text to look for"),
        Refusal::NoQueue { .. } => Error::not_found("No job has been added to the queue yet"),
        other => Error::internal(other),
    }
}

/// Pauses the queue, for administrators: no worker takes jobs any more, and what is active goes on.
#[utoipa::path(
    post,
    path = "/queue/pause",
    tag = "queue",
    responses((status = 200, description = "It is paused", body = PausedBody), ForOperator),
)]
pub(crate) async fn pause(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<PausedBody>, Error> {
    let queue = api.operated(&caller, "pause").await?;
    api.told(&caller, "pause", queue.pause().await, |()| 0)?;
    Ok(Json(PausedBody { paused: true }))
}

/// Resumes the queue, for administrators.
#[utoipa::path(
    post,
    path = "/queue/resume",
    tag = "queue",
    responses((status = 200, description = "It goes on", body = PausedBody), ForOperator),
)]
pub(crate) async fn resume(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<PausedBody>, Error> {
    let queue = api.operated(&caller, "resume").await?;
    api.told(&caller, "resume", queue.resume().await, |()| 0)?;
    api.wake().ring(true).await;
    Ok(Json(PausedBody { paused: false }))
}

/// Puts failed jobs back to work that failed for a reason, for administrators.
#[utoipa::path(
    post,
    path = "/queue/retry",
    tag = "queue",
    request_body = RetryBody,
    responses((status = 200, description = "What was retried", body = RetriedBody), ForOperator),
)]
pub(crate) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    body: Result<Body<RetryBody>, Error>,
) -> Result<Json<RetriedBody>, Error> {
    let body = caller.check(body.and_then(Body::required)).await?;
    let queue = api.operated(&caller, "retry").await?;
    let from = body.from.as_deref().and_then(|from| from.parse().ok());
    let step = queue.retry_step(&body.reason, from).await;
    let step = api.told(&caller, "retry", step, |step| step.retried)?;
    api.wake().ring(step.retried > 0).await;
    let left = queue.count_of(JobState::Failed).await.map_err(not_read)?;
    Ok(Json(RetriedBody {
        retried: step.retried,
        left,
        next: step.next.map(|next| next.to_string()),
    }))
}

/// Makes delayed jobs wait for nothing but their turn, for administrators.
#[utoipa::path(
    post,
    path = "/queue/promote",
    tag = "queue",
    request_body = Option<PromoteBody>,
    responses((status = 200, description = "What was promoted", body = PromotedBody), ForOperator),
)]
pub(crate) async fn promote(
    State(api): State<Api>,
    caller: Caller,
    body: Result<Body<PromoteBody>, Error>,
) -> Result<Json<PromotedBody>, Error> {
    let Body(body) = caller.check(body).await?;
    let queue = api.operated(&caller, "promote").await?;
    let promoted = match body.and_then(|body| body.job_id) {
        Some(id) => queue.promote(&id).await.map(|()| 1),
        None => queue.promote_some().await,
    };
    let promoted = api.told(&caller, "promote", promoted, |promoted| *promoted)?;
    api.wake().ring(promoted > 0).await;
    let left = queue.count_of(JobState::Delayed).await.map_err(not_read)?;
    Ok(Json(PromotedBody { promoted, left }))
}

/// Sets or lifts the queue's own limits, for administrators: they hold for every worker.
#[utoipa::path(
    post,
    path = "/queue/limit",
    tag = "queue",
    request_body = LimitBody,
    responses((status = 200, description = "The limits that hold now", body = LimitsSetBody), ForOperator),
)]
pub(crate) async fn limit(
    State(api): State<Api>,
    caller: Caller,
    body: Result<Body<LimitBody>, Error>,
) -> Result<Json<LimitsSetBody>, Error> {
    let body = caller.check(body.and_then(Body::required)).await?;
    let queue = api.operated(&caller, "limit").await?;
    if let Some(most) = body.concurrency {
        let set = most.map_or("none".to_owned(), |most| most.to_string());
        let set = format!("limit concurrency: {set}");
        api.told(&caller, &set, queue.limit_concurrency(most).await, |_| 0)?;
    }
    if let Some(rate) = body.rate {
        let rate = rate.map(|NewRate { max, duration_ms }| RateLimit { max, duration_ms });
        let set = match rate {
            Some(RateLimit { max, duration_ms }) => {
                format!("limit rate: {max} in {duration_ms} ms")
            }
            None => "limit rate: none".to_owned(),
        };
        api.told(&caller, &set, queue.limit_rate(rate).await, |_| 0)?;
    }
    let limits = queue.limits().await.map_err(not_read)?;
    // What a lower limit held back may run now.
    api.wake().ring(limits.flow() == Flow::Running).await;
    let rate = limits.rate.map(RateBody::from);
    Ok(Json(LimitsSetBody { concurrency: limits.concurrency, rate }))
}
