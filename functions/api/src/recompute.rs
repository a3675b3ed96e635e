//! Asks for a recompute, of one project or of many.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::queue::{Added, NewJob, Outcome, Queue};
use shared::recompute::{JobData, Reason, Timing, recompute_job};
use shared::store::ProjectId;
use shared::trace::TraceContext;
use tracing::Span;
use utoipa::ToSchema;

use crate::Api;
use crate::caller::Caller;
use crate::described::{ForUser, ForWriter, IdParam, KeyParam};
use crate::envelope::sent_context;
use crate::error::Error;
use crate::input::{Body, Form, IdempotencyKey, Project};
use crate::once::once;
use crate::queue::{no_queue, not_read};
use crate::timing::TimingBody;

/// At so many commands the month's count is told of them, which is one command more.
const WORTH_COUNTING: u64 = 50;

/// The most projects that one request may name.
const MAX_PROJECTS: usize = 1_000;

/// Why a recompute is asked for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Reason)]
pub(crate) enum ReasonBody {
    /// A person asked.
    Manual,
    /// A schedule asked; it waits behind all other requests.
    Scheduled,
    /// New data came in.
    AfterImport,
}

impl From<ReasonBody> for Reason {
    fn from(reason: ReasonBody) -> Self {
        match reason {
            ReasonBody::Manual => Self::Manual,
            ReasonBody::Scheduled => Self::Scheduled,
            ReasonBody::AfterImport => Self::AfterImport,
        }
    }
}

/// A request for one project.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Recompute, example = json!({"reason": "manual"}))]
pub(crate) struct RecomputeBody {
    /// `manual` when left out.
    reason: Option<ReasonBody>,
    #[serde(flatten)]
    timing: TimingBody,
}

impl Form for RecomputeBody {
    const EXPECTED: &'static str = "The body must be empty or an object whose reason, if any, is \
                                    manual, scheduled or after_import";
}

/// The answer for one project.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Recomputed)]
pub(crate) struct RecomputeAnswer {
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// `false` only where no Redis is configured.
    enqueued: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<&'static str>,
}

/// Asks for a recompute of one project's score.
///
/// A job that waits already for the same project is reused; where one is being processed, another
/// one is added, so that the project is scored once more.
#[utoipa::path(
    post,
    path = "/projects/{id}/deo-score/recompute",
    tag = "score",
    params(IdParam, KeyParam),
    request_body = Option<RecomputeBody>,
    responses(
        (status = 201, description = "What became of it", body = RecomputeAnswer, headers(
            ("X-Job-Id" = String, description = "The job"),
            ("X-Deduplicated" = String, description = "`true`: the job waited already; \
                `after-active`: a job of its own, while another one is being processed"),
        )),
        ForWriter,
    ),
)]
pub(crate) async fn recompute(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Project, Error>,
    key: Result<IdempotencyKey, Error>,
    headers: HeaderMap,
    body: Result<Body<RecomputeBody>, Error>,
) -> Result<Response, Error> {
    let Project(project_id) = caller.check(id).await?;
    let IdempotencyKey(key) = caller.check(key).await?;
    let Body(body) = caller.check(body).await?;
    let timing = body.as_ref().map(|body| body.timing.timing()).transpose();
    let timing = caller.check(timing).await?.unwrap_or_default();
    api.project(&caller.user_id, project_id.as_str()).await?;

    let Some(queue) = api.metered_queue() else {
        let message = Some("Queue functionality unavailable - Redis not configured");
        let answer = RecomputeAnswer { project_id, enqueued: false, message };
        return Ok((StatusCode::CREATED, Json(answer)).into_response());
    };
    let request = Request {
        user_id: &caller.user_id,
        reason: body.as_ref().and_then(|body| body.reason).map_or(Reason::Manual, Reason::from),
        timing,
        telemetry: telemetry(&headers),
    };
    let mut receipt = None;
    if let Some(key) = key {
        let scope = json!([request.user_id, "recompute", key, project_id]);
        receipt = Some(once(&api, &queue, &scope, &request.says(), ()).await?.0);
    }
    let added = request.enqueue(&api, &queue, &[&project_id], receipt.as_deref()).await?;
    let added = added.first().ok_or_else(|| Error::internal(&"the queue gave no answer"))?;
    let answer = RecomputeAnswer { project_id, enqueued: true, message: None };
    Ok((StatusCode::CREATED, describe(added), Json(answer)).into_response())
}

fn describe(added: &Added) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // A peer may have chosen an id that no header can carry; then there is none.
    if let Ok(id) = HeaderValue::from_str(&added.id) {
        headers.insert(HeaderName::from_static("x-job-id"), id);
    }
    let (name, value) = match added.outcome {
        Outcome::Added => return headers,
        Outcome::Duplicate | Outcome::Deduplicated => ("x-deduplicated", "true"),
        Outcome::AfterActive => ("x-deduplicated", "after-active"),
    };
    headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    headers
}

/// A request for many projects.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RecomputeMany, example = json!({"projectIds": ["p1", "p2"], "reason": "after_import"}))]
pub(crate) struct BulkBody {
    /// A repeated id counts as deduplicated.
    #[schema(min_items = 1, max_items = 1000)]
    project_ids: Vec<ProjectIdBody>,
    /// `manual` when left out.
    reason: Option<ReasonBody>,
    #[serde(flatten)]
    timing: TimingBody,
}

/// A project's id.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = ProjectId)]
#[schema(value_type = String, min_length = 1, max_length = 191, pattern = r"^[^\u0000]*$")]
struct ProjectIdBody(ProjectId);

impl Form for BulkBody {
    const EXPECTED: &'static str = "The body must be an object with projectIds, 1 to 1000 ids of \
                                    1 to 191 characters, and a reason, if any, that is manual, \
                                    scheduled or after_import";

    fn is_valid(&self) -> bool {
        (1..=MAX_PROJECTS).contains(&self.project_ids.len())
    }
}

/// The answer for many projects.
#[derive(Serialize, ToSchema)]
#[schema(as = RecomputedMany, example = json!({
    "enqueued": 1,
    "deduplicated": 0,
    "jobs": [{"projectId": "p1", "jobId": "42", "deduplicated": false}],
    "rejected": [{"projectId": "p2", "status": 403}],
}))]
pub(crate) struct BulkAnswer {
    /// Projects that got a new job.
    enqueued: usize,
    /// Projects whose job waited already or is being processed, and repeated ids.
    deduplicated: usize,
    /// The jobs, one a project.
    jobs: Vec<BulkJob>,
    /// Projects without a job.
    rejected: Vec<Rejected>,
}

/// A project's job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BulkJob {
    #[schema(value_type = String)]
    project_id: ProjectId,
    job_id: String,
    /// Whether a job of the project waited already, which is this one then, or is being processed.
    deduplicated: bool,
}

/// A project that got no job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rejected {
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// 404: there is no such project; 403: the caller may not recompute it.
    status: u16,
}

/// Asks for recomputes of many projects at once.
#[utoipa::path(
    post,
    path = "/deo-score/recompute",
    tag = "score",
    params(KeyParam),
    request_body = BulkBody,
    responses((status = 202, description = "What became of them", body = BulkAnswer), ForUser),
)]
pub(crate) async fn recompute_many(
    State(api): State<Api>,
    caller: Caller,
    key: Result<IdempotencyKey, Error>,
    headers: HeaderMap,
    body: Result<Body<BulkBody>, Error>,
) -> Result<(StatusCode, Json<BulkAnswer>), Error> {
    let IdempotencyKey(key) = caller.check(key).await?;
    let body = caller.check(body.and_then(Body::required)).await?;
    let timing = caller.check(body.timing.timing()).await?;
    refuse_bulk_past_the_budget(&api).await?;
    let mut asked: Vec<ProjectId> =
        body.project_ids.into_iter().map(|ProjectIdBody(id)| id).collect();
    // The order is the caller's business.
    asked.sort_unstable();
    let mut ids = asked.clone();
    ids.dedup();
    let repeated = asked.len() - ids.len();
    let checked = api.projects(&caller.user_id, &ids).await?;

    let queue = api.metered_queue().ok_or(no_queue())?;
    let request = Request {
        user_id: &caller.user_id,
        reason: body.reason.map_or(Reason::Manual, Reason::from),
        timing,
        telemetry: telemetry(&headers),
    };
    let refused = |(at, checked): (usize, Result<(), Error>)| {
        checked.err().map(|refusal| (at, refusal.describe().0.as_u16()))
    };
    let mut refused: BTreeMap<usize, u16> =
        checked.into_iter().enumerate().filter_map(refused).collect();
    let mut receipt = None;
    if let Some(key) = key {
        let scope = json!([request.user_id, "recompute-many", key]);
        let (name, first) =
            once(&api, &queue, &scope, &json!([asked, request.says()]), refused).await?;
        (receipt, refused) = (Some(name), first);
    }
    let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
    for (at, id) in ids.iter().enumerate() {
        match refused.get(&at) {
            None => accepted.push(id),
            Some(&status) => rejected.push(Rejected { project_id: id.clone(), status }),
        }
    }
    let added = request.enqueue(&api, &queue, &accepted, receipt.as_deref()).await?;
    let jobs: Vec<BulkJob> = accepted
        .into_iter()
        .zip(added)
        .map(|(id, added)| BulkJob {
            project_id: id.clone(),
            job_id: added.id,
            deduplicated: added.outcome != Outcome::Added,
        })
        .collect();
    let deduplicated = jobs.iter().filter(|job| job.deduplicated).count();
    let enqueued = jobs.len() - deduplicated;
    let answer = BulkAnswer { enqueued, deduplicated: deduplicated + repeated, jobs, rejected };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Before Postgres is asked, which nobody needs to wake for what is refused. One command where there is a
/// budget.
async fn refuse_bulk_past_the_budget(api: &Api) -> Result<(), Error> {
    let (Some(budget), Some(queue)) = (api.budget(), api.queue()) else { return Ok(()) };
    let spent = queue.spent().await.map_err(not_read)?.unwrap_or(0);
    if !budget.is_tight(spent) {
        return Ok(());
    }
    tracing::warn!(spent, budget = budget.commands, "a bulk recompute was refused");
    Err(Error::Budget)
}

/// What the jobs of one request have in common.
struct Request<'a> {
    user_id: &'a str,
    reason: Reason,
    timing: Timing,
    telemetry: Option<String>,
}

impl Request<'_> {
    /// Puts a job for each project on the queue, in one round trip; under `receipt` once and no more.
    async fn enqueue(
        &self,
        api: &Api,
        queue: &Queue,
        ids: &[&ProjectId],
        receipt: Option<&str>,
    ) -> Result<Vec<Added>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let jobs: Vec<NewJob> = ids.iter().map(|id| self.job(api, id)).collect();
        let enqueued = queue.add(&jobs, receipt).await;
        let enqueued = api.last_write().written("recompute was not enqueued", enqueued)?;
        if api.budget().is_some() {
            let used = queue.redis().usage().billed;
            api.purse().pay(queue, used, api.purse().unpaid() + used >= WORTH_COUNTING).await;
        }
        api.wake().ring(enqueued.first).await;
        Ok(enqueued.added)
    }

    fn job(&self, api: &Api, project_id: &ProjectId) -> NewJob {
        let data = JobData {
            project_id: project_id.clone(),
            triggered_by_user_id: Some(self.user_id.to_owned()),
            reason: self.reason,
        };
        let mut job = recompute_job(&data, api.queue_options());
        self.timing.apply(&mut job);
        job.opts.telemetry.clone_from(&self.telemetry);
        job
    }

    /// All that its body says, but for the projects.
    fn says(&self) -> Value {
        let Timing { delay, window, extend, replace } = self.timing;
        json!([self.reason, delay.as_millis(), window.map(|it| it.as_millis()), extend, replace])
    }
}

/// The trace that the request belongs to, for the job: our own span of it, where that is exported.
fn telemetry(headers: &HeaderMap) -> Option<String> {
    let context = TraceContext::of(&Span::current()).or_else(|| sent_context(headers))?;
    Some(context.to_metadata())
}
