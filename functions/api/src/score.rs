//! Serves a project's latest score.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use shared::clock::to_iso8601;
use shared::store::Snapshot;
use utoipa::ToSchema;

use crate::Api;
use crate::caller::Caller;
use crate::described::{ForReader, IdParam, TagParam};
use crate::error::Error;
use crate::etag::tagged;
use crate::input::Id;

/// A project's latest score; both parts are `null` until it is first computed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Score, example = json!({
    "projectId": "p1",
    "latestScore": {"overall": 63, "content": 58, "entities": 71, "technical": 80, "visibility": 44},
    "latestSnapshot": {
        "id": "s1",
        "projectId": "p1",
        "version": "v1",
        "computedAt": "2026-01-31T12:00:00.000Z",
        "breakdown": {"overall": 63, "content": 58, "entities": 71, "technical": 80, "visibility": 44},
    },
}))]
pub(crate) struct ScoreBody {
    project_id: String,
    #[schema(required = true)]
    latest_score: Option<Breakdown>,
    #[schema(required = true)]
    latest_snapshot: Option<SnapshotBody>,
}

/// A score and its components, 0 to 100.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Breakdown {
    overall: i32,
    #[schema(required = true)]
    content: Option<i32>,
    #[schema(required = true)]
    entities: Option<i32>,
    #[schema(required = true)]
    technical: Option<i32>,
    #[schema(required = true)]
    visibility: Option<i32>,
}

/// One computation of a score.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Snapshot)]
pub(crate) struct SnapshotBody {
    id: String,
    project_id: String,
    /// The model.
    version: String,
    /// ISO 8601 with milliseconds, UTC.
    #[schema(format = DateTime)]
    computed_at: String,
    breakdown: Breakdown,
    /// The signals, both models, opportunities and strengths.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false, required = false)]
    metadata: Option<Box<RawValue>>,
}

impl From<&Snapshot> for Breakdown {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            overall: snapshot.overall,
            content: snapshot.content,
            entities: snapshot.entities,
            technical: snapshot.technical,
            visibility: snapshot.visibility,
        }
    }
}

impl SnapshotBody {
    /// Everything.
    fn whole(project_id: &str, mut snapshot: Snapshot) -> Self {
        let metadata = snapshot.metadata.take().filter(|json| json.get() != "null");
        Self { metadata, ..Self::brief(project_id, snapshot) }
    }

    /// All but the metadata, which is most of it.
    pub(crate) fn brief(project_id: &str, snapshot: Snapshot) -> Self {
        Self {
            breakdown: Breakdown::from(&snapshot),
            project_id: project_id.to_owned(),
            computed_at: to_iso8601(snapshot.computed_at_ms),
            id: snapshot.id,
            version: snapshot.version,
            metadata: None,
        }
    }
}

/// A project's latest score, with the snapshot it comes from.
#[utoipa::path(
    get,
    path = "/projects/{id}/deo-score",
    tag = "score",
    params(
        IdParam,
        TagParam,
    ),
    responses(
        (status = 200, description = "The score", body = ScoreBody, headers(("ETag" = String))),
        (status = 304, description = "The client has it already"),
        ForReader,
    ),
)]
pub(crate) async fn latest(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Id, Error>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Id(project_id) = caller.check(id).await?;
    api.project(&caller.user_id, &project_id).await?;
    let snapshot = api.latest_snapshot(&project_id).await?;
    let body = ScoreBody {
        latest_score: snapshot.as_ref().map(Breakdown::from),
        latest_snapshot: snapshot.map(|snapshot| SnapshotBody::whole(&project_id, snapshot)),
        project_id,
    };
    tagged(&headers, &body)
}
