//! Serves why a project's score changed from one snapshot to another.

use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use shared::deo::{Change, Compared, Comparison};
use shared::store::{Cursor, Snapshot, is_id};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::access::failed;
use crate::described::{ForReader, IdParam, TagParam};
use crate::error::Error;
use crate::etag::tagged;
use crate::input::Params;
use crate::score::SnapshotBody;
use crate::series::time;

/// Why a score changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Comparison)]
pub(crate) struct ComparisonBody {
    project_id: String,
    from: SnapshotBody,
    to: SnapshotBody,
    /// The change of the overall score, in points.
    change: i32,
    /// What each component has to do with it; the last is `rounding`. The tenths add up to 10 times the
    /// change.
    #[schema(value_type = Vec<ChangeBody>)]
    components: Vec<Change>,
    /// The same of each signal. Left out where one of the snapshots has not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<ChangeBody>, required = false)]
    signals: Option<Vec<Change>>,
    /// The counts of pages and products that differ, in words. Left out where one of the snapshots has
    /// none: those of earlier versions, and the platform's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<ChangeBody>, required = false)]
    counts: Option<Vec<Change>>,
}

/// What one number was, and what it became.
#[derive(ToSchema)]
#[schema(as = Change)]
#[expect(dead_code, reason = "only described; it is written as `shared::deo::Change`")]
struct ChangeBody {
    key: String,
    #[schema(value_type = f64, nullable = false, required = false)]
    from: Value,
    #[schema(value_type = f64, nullable = false, required = false)]
    to: Value,
    /// Its part of the change, in tenths of a point of the overall score.
    #[schema(nullable = false)]
    tenths: Option<i64>,
    /// `12 more pages with fewer than 150 words`.
    #[schema(nullable = false)]
    text: Option<String>,
}

/// Which two snapshots.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `asked` reads it")]
struct CompareQuery {
    /// A snapshot's id, or a time such as `2026-01-31`: the newest by then. Left out, the one before `to`.
    #[param(min_length = 1, max_length = 191, pattern = r"^[^\u0000]*$", nullable = false)]
    from: Option<String>,
    /// The same; left out, the newest of all.
    #[param(min_length = 1, max_length = 191, pattern = r"^[^\u0000]*$", nullable = false)]
    to: Option<String>,
}

/// Which snapshot is meant.
enum Place {
    Id(String),
    /// The newest whose rows were read by then: milliseconds since the Unix epoch.
    Time(i64),
}

/// Which two snapshots are meant.
pub(crate) struct Places {
    from: Option<Place>,
    to: Option<Place>,
}

/// The two snapshots that a request asks for.
pub(crate) fn asked(params: &Params) -> Result<Places, Error> {
    let refusal = "from and to must be ids of snapshots, or times such as 2026-01-31 or \
                   2026-01-31T12:00:00.000Z";
    let place = |name| {
        let Some(text) = params.get(name)? else { return Ok(None) };
        match time(text) {
            Some(ms) => Ok(Some(Place::Time(ms))),
            None if is_id(text) => Ok(Some(Place::Id(text.to_owned()))),
            None => Err(Error::bad_request(refusal)),
        }
    };
    Ok(Places { from: place("from")?, to: place("to")? })
}

const NONE_AS_EARLY: Error = Error::not_found("There is no snapshot as early as that");

/// The snapshot at `place`, or else the newest before `otherwise`.
async fn find(
    api: &Api,
    project_id: &str,
    place: Option<&Place>,
    otherwise: Option<Cursor>,
) -> Result<Snapshot, Error> {
    let store = api.asked()?;
    let before = match place {
        Some(Place::Id(id)) => {
            let found = store.snapshot(project_id, id).await.map_err(|error| failed(&error))?;
            return found.ok_or(Error::not_found("Snapshot not found"));
        }
        // Before the next millisecond.
        Some(Place::Time(ms)) => Some(Cursor { computed_at_ms: ms + 1, id: String::new() }),
        None => otherwise,
    };
    let page = store.history(project_id, before.as_ref(), 1).await;
    let found = page.map_err(|error| failed(&error))?.snapshots.pop();
    found.ok_or(NONE_AS_EARLY)
}

fn compared(snapshot: &Snapshot) -> Compared<'_> {
    Compared {
        overall: snapshot.overall,
        components: [snapshot.content, snapshot.entities, snapshot.technical, snapshot.visibility],
        metadata: snapshot.metadata.as_ref().map(|json| json.get()),
    }
}

/// Why a project's score changed from one snapshot to another: what each component and each signal has
/// to do with it, and which counts of pages and products differ.
#[utoipa::path(
    get,
    path = "/projects/{id}/deo-score/compare",
    tag = "score",
    params(
        IdParam,
        CompareQuery,
        TagParam,
    ),
    responses(
        (status = 200, description = "The change", body = ComparisonBody,
            headers(("ETag" = String))),
        (status = 304, description = "The client has it already"),
        ForReader,
    ),
)]
pub(crate) async fn compare(
    api: &Api,
    project_id: String,
    headers: &HeaderMap,
    places: Places,
) -> Result<Response, Error> {
    let (to, from) = match places {
        Places { from: None, to: None } => {
            let page = api.asked()?.history(&project_id, None, 2).await;
            let mut newest = page.map_err(|error| failed(&error))?.snapshots.into_iter();
            newest.next().zip(newest.next()).ok_or(NONE_AS_EARLY)?
        }
        Places { from, to } => {
            let to = find(api, &project_id, to.as_ref(), None).await?;
            let before_it = Cursor { computed_at_ms: to.computed_at_ms, id: to.id.clone() };
            let from = find(api, &project_id, from.as_ref(), Some(before_it)).await?;
            (to, from)
        }
    };
    let Comparison { change, components, signals, counts } =
        Comparison::of(compared(&from), compared(&to));
    let (from, to) = (SnapshotBody::brief(&project_id, from), SnapshotBody::brief(&project_id, to));
    tagged(headers, &ComparisonBody { project_id, from, to, change, components, signals, counts })
}
