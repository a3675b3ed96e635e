//! Serves one job to those who may read its project, and to administrators where that is gone.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use shared::queue::{self, JobView, StoredOptions};
use shared::recompute::JobData;
use shared::store::ProjectId;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::Api;
use crate::caller::Caller;
use crate::described::{ForReader, JobIdParam};
use crate::error::Error;
use crate::input::Id;
use crate::queue::{no_queue, not_read};
use crate::refused::Refusal;

/// The longest return value that is shown. An answer of Lambda's has 6 MB, and a peer may write more.
const MOST_SHOWN_BYTES: usize = 1_000_000;

/// How much is shown of why a job failed. In JSON a character may take twelve bytes.
const MOST_SHOWN_CHARS: usize = 100_000;

/// How many of the newest stack traces are shown, and how much of each: as much in all.
const MOST_STACKS: usize = 10;
const MOST_SHOWN_OF_A_STACK: usize = MOST_SHOWN_CHARS / MOST_STACKS;

/// A job as it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Job, example = json!({
    "id": "42",
    "state": "completed",
    "projectId": "p1",
    "timestamp": 1_769_860_800_000_i64,
    "attemptsMade": 1,
    "attempts": 3,
    "processedOn": 1_769_860_801_000_i64,
    "finishedOn": 1_769_860_801_200_i64,
    "failedReason": null,
    "stacktrace": [],
    "returnvalue": {"projectId": "p1", "snapshotId": "s1"},
}))]
pub(crate) struct JobBody {
    id: String,
    #[schema(schema_with = states)]
    state: &'static str,
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// When the job was added, in milliseconds since the Unix epoch.
    #[schema(required = true)]
    timestamp: Option<i64>,
    /// Tries that have ended.
    attempts_made: u64,
    /// Tries that the job has at most.
    attempts: u64,
    /// When the last try began, in milliseconds since the Unix epoch.
    #[schema(required = true)]
    processed_on: Option<i64>,
    /// When the job ended, in milliseconds since the Unix epoch.
    #[schema(required = true)]
    finished_on: Option<i64>,
    /// Why the last try failed; cut at 100,000 characters.
    #[schema(required = true)]
    failed_reason: Option<String>,
    /// What each try that failed left, the newest last: 10 of them, each cut at 10,000 characters.
    #[schema(max_items = 10)]
    stacktrace: Vec<String>,
    /// What the job returned: the project and its snapshot. Null where a peer's is longer than 1 MB.
    #[schema(required = true)]
    returnvalue: Option<Value>,
}

fn states() -> Object {
    // Those that wait are in one of two lists, of which the second tells nothing more.
    let told = queue::State::ALL.into_iter().filter(|state| *state != queue::State::Paused);
    let states =
        told.map(Some).chain([None]).map(|state| serde_json::json!(queue::State::told(state)));
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(states)).build()
}

/// One job.
///
/// For those who may read its project. Where the project is gone, for administrators.
#[utoipa::path(
    get,
    path = "/jobs/{jobId}",
    tag = "queue",
    params(JobIdParam),
    responses((status = 200, description = "The job", body = JobBody), ForReader),
)]
pub(crate) async fn job(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Id, Error>,
) -> Result<Json<JobBody>, Error> {
    let Id(id) = caller.check(id).await?;
    let queue = caller.check(api.queue().ok_or(no_queue())).await?;
    let view = match queue.job(&id).await {
        // The id is the name of another key of the queue.
        Err(error) if Refusal::of(&error) == Some(Refusal::WrongType) => None,
        answer => caller.check(answer.map_err(not_read)).await?,
    };
    let found = view.and_then(body).ok_or(Error::not_found("Job not found"));
    let body = caller.check(found).await?;
    let access = api.project(&caller.user_id, body.project_id.as_str()).await;
    let is_gone = matches!(access, Err(Error::NotFound(_)));
    if !(is_gone && api.role(&caller.user_id).await? == "ADMIN") {
        access?;
    }
    Ok(Json(body))
}

/// `None` for what is no job of ours: a hash that holds something else, data without a project.
fn body(view: JobView) -> Option<JobBody> {
    let JobView { id, state, mut fields, .. } = view;
    let JobData { project_id, .. } = JobData::parse(fields.get("data")?).ok()?;
    Some(JobBody {
        id,
        state: queue::State::told(state),
        project_id,
        timestamp: number(&fields, "timestamp"),
        // Older versions of BullMQ wrote the long name, which then counts.
        attempts_made: number(&fields, "attemptsMade").or(number(&fields, "atm")).unwrap_or(0),
        attempts: fields.get("opts").map_or(1, |opts| attempts(opts)),
        stacktrace: fields.get("stacktrace").map(|json| stacktrace(json)).unwrap_or_default(),
        processed_on: number(&fields, "processedOn"),
        finished_on: number(&fields, "finishedOn"),
        returnvalue: fields
            .get("returnvalue")
            .filter(|text| text.len() <= MOST_SHOWN_BYTES)
            .and_then(|text| serde_json::from_str(text).ok()),
        failed_reason: fields.remove("failedReason").map(|reason| cut(&reason, MOST_SHOWN_CHARS)),
    })
}

/// The tries of a job with these options: BullMQ's 0, which stands where none were given, is one, too.
fn attempts(opts: &str) -> u64 {
    // A float's cast ends at the bounds.
    StoredOptions::parse(opts).attempts.ceil().max(1.0) as u64
}

/// The newest of the stack traces in `json`.
fn stacktrace(json: &str) -> Vec<String> {
    let all: Vec<String> = serde_json::from_str(json).unwrap_or_default();
    let older = all.len().saturating_sub(MOST_STACKS);
    all[older..].iter().map(|stack| cut(stack, MOST_SHOWN_OF_A_STACK)).collect()
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn number<T: std::str::FromStr>(fields: &HashMap<String, String>, name: &str) -> Option<T> {
    fields.get(name)?.parse().ok()
}
