//! Serves a project's scores over time, page by page.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use shared::clock::{from_iso8601, to_iso8601};
use shared::store::Cursor;
use shared::store::is_id;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::access::Need;
use crate::caller::Caller;
use crate::described::{ForReader, IdParam, TagParam};
use crate::error::Error;
use crate::etag::tagged;
use crate::input::{Id, Params};
use crate::score::SnapshotBody;

/// Snapshots a page, where the request does not say.
const DEFAULT_LIMIT: u32 = 30;

/// Snapshots a page at most.
const MAX_LIMIT: u32 = 100;

/// One page of a project's scores.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = History)]
pub(crate) struct HistoryBody {
    project_id: String,
    /// Newest first, without metadata.
    snapshots: Vec<SnapshotBody>,
    /// What to pass as `before` for the next page; `null` on the last one.
    #[schema(required = true)]
    next_before: Option<String>,
}

/// Which page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `limit` and `before` read it")]
struct HistoryQuery {
    /// Snapshots a page; 30 when left out.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    #[param(schema_with = cursors, required = false)]
    before: String,
}

/// What a cursor looks like: a date of the calendar, a time in UTC, and perhaps an id.
fn cursors() -> Object {
    let most_days = "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)\
        |02-(?:0[1-9]|1[0-9]|2[0-8])";
    let leap_years = "[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00";
    let time = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][.][0-9]{3}Z";
    let id = r"[^\u0000]{1,191}";
    let pattern =
        format!("^(?:[0-9]{{4}}-(?:{most_days})|(?:{leap_years})-02-29)T{time}(?:_{id})?$");
    let meaning = "`nextBefore` of the page before, or a time: only older ones";
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .description(Some(meaning))
        .build()
}

/// A cursor's text: the time, or the time and the id, such as `2026-01-31T12:00:00.000Z_<id>`.
///
/// Keys, not offsets: a snapshot that is added meanwhile moves nothing, and the hundredth page
/// costs what the first one does.
fn text(cursor: &Cursor) -> String {
    format!("{}_{}", to_iso8601(cursor.computed_at_ms), cursor.id)
}

/// The cursor of a text; a time alone stands before all snapshots of that time.
fn cursor(text: &str) -> Option<Cursor> {
    let (time, id) = match text.split_once('_') {
        Some((time, id)) if is_id(id) => (time, id),
        Some(_) => return None,
        None => (text, ""),
    };
    // Years of four digits: Postgres cannot hold all that ECMAScript can.
    let year = time.split('-').next().filter(|year| year.len() == 4);
    let computed_at_ms = year.and_then(|_| from_iso8601(time))?;
    Some(Cursor { computed_at_ms, id: id.to_owned() })
}

fn limit(text: Option<&str>) -> Result<u32, Error> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text.parse().ok().filter(|limit| digits && (1..=MAX_LIMIT).contains(limit));
    limit.ok_or(Error::bad_request("limit must be a number from 1 to 100"))
}

fn before(text: Option<&str>) -> Result<Option<Cursor>, Error> {
    let refusal = "before must be the nextBefore of an earlier page, or a time such as \
                   2026-01-31T12:00:00.000Z";
    text.map(|text| cursor(text).ok_or(Error::bad_request(refusal))).transpose()
}

/// A project's scores, newest first.
#[utoipa::path(
    get,
    path = "/projects/{id}/deo-score/history",
    tag = "score",
    params(
        IdParam,
        HistoryQuery,
        TagParam,
    ),
    responses(
        (status = 200, description = "A page", body = HistoryBody, headers(("ETag" = String))),
        (status = 304, description = "The client has it already"),
        ForReader,
    ),
)]
pub(crate) async fn history(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Id, Error>,
    params: Result<Params, Error>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Id(project_id) = caller.check(id).await?;
    let params = caller.check(params).await?;
    let limit = caller.check(params.get("limit").and_then(limit)).await?;
    let before = caller.check(params.get("before").and_then(before)).await?;
    api.project(&caller.user_id, &project_id, Need::Read).await?;
    let page = api.history(&project_id, before.as_ref(), limit).await?;
    let brief = |snapshot| SnapshotBody::brief(&project_id, snapshot);
    let snapshots = page.snapshots.into_iter().map(brief).collect();
    let next_before = page.next.as_ref().map(text);
    tagged(&headers, &HistoryBody { snapshots, next_before, project_id: project_id.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_page_begins_below_a_time_or_a_snapshot() {
        let at = |id: &str| Some(Cursor { computed_at_ms: 1_769_860_800_123, id: id.to_owned() });
        assert_eq!(cursor("2026-01-31T12:00:00.123Z"), at(""));
        assert_eq!(cursor("2026-01-31T12:00:00.123Z_a_b"), at("a_b"));
        assert_eq!(text(&at("a_b").unwrap()), "2026-01-31T12:00:00.123Z_a_b");
        for wrong in [
            "",
            "_",
            "now",
            "2026-01-31T12:00:00.123Z_",
            "2026-02-30T12:00:00.123Z",
            "+275760-09-13T00:00:00.000Z",
            "-271821-04-20T00:00:00.000Z",
            "1769860800123",
            &format!("2026-01-31T12:00:00.123Z_{}", "x".repeat(192)),
        ] {
            assert_eq!(cursor(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_holds_1_to_100() {
        assert_eq!(limit(None), Ok(30));
        assert_eq!(limit(Some("1")), Ok(1));
        assert_eq!(limit(Some("100")), Ok(100));
        for wrong in ["", "0", "101", "-1", "+5", "1.0", "1e1", " 1", "99999999999999999999"] {
            assert!(limit(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
