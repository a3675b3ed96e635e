//! Serves a project's past: its scores page by page, in a plot's points, two of them compared.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use serde::Serialize;
use shared::clock::to_iso8601;
use shared::store::{Cursor, Span, is_id};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::access::failed;
use crate::caller::Caller;
use crate::described::{ForReader, IdParam, TagParam};
use crate::error::Error;
use crate::etag::tagged;
use crate::export::{self, Format};
use crate::input::{Id, Params, number};
use crate::score::SnapshotBody;
use crate::{Api, compare, series};

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
    /// Snapshots a page; when left out 30, and as CSV and NDJSON 10,000.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page is: JSON, CSV (RFC 4180) or a JSON object a line. Left out, `Accept` decides.
    #[param(schema_with = export::formats, required = false)]
    format: String,
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
pub(crate) fn text(cursor: &Cursor) -> String {
    format!("{}_{}", to_iso8601(cursor.computed_at_ms), cursor.id)
}

/// The cursor of a text; a time alone stands before all snapshots of that time.
fn cursor(text: &str) -> Option<Cursor> {
    let (time, id) = match text.split_once('_') {
        Some((time, id)) if is_id(id) => (time, id),
        Some(_) => return None,
        None => (text, ""),
    };
    Some(Cursor { computed_at_ms: series::time(time)?, id: id.to_owned() })
}

fn limit(text: Option<&str>) -> Result<u32, Error> {
    let limit = number(text, DEFAULT_LIMIT, 1..=MAX_LIMIT);
    limit.ok_or(Error::bad_request("limit must be a number from 1 to 100"))
}

fn before(text: Option<&str>) -> Result<Option<Cursor>, Error> {
    let refusal = "before must be the nextBefore of an earlier page, or a time such as \
                   2026-01-31T12:00:00.000Z";
    text.map(|text| cursor(text).ok_or(Error::bad_request(refusal))).transpose()
}

/// What a request asks of a project's past.
enum Asked {
    /// A page of its snapshots.
    Page { format: Format, limit: u32, before: Option<Cursor> },
    /// Its scores in so many points.
    Series((Span, u32)),
    /// What changed from one snapshot to another.
    Change(compare::Places),
}

impl Asked {
    fn read(uri: &Uri, headers: &HeaderMap, params: &Params) -> Result<Self, Error> {
        let path = uri.path().trim_end_matches('/');
        if path.ends_with("/series") {
            return series::asked(params).map(Self::Series);
        }
        if path.ends_with("/compare") {
            return compare::asked(params).map(Self::Change);
        }
        let format = export::format(params.get("format")?, headers)?;
        let limit = match params.get("limit")? {
            None if format != Format::Json => export::PAGE,
            text => limit(text)?,
        };
        Ok(Self::Page { format, limit, before: params.get("before").and_then(before)? })
    }
}

/// A project's scores, newest first.
///
/// A page of CSV or NDJSON ends at 4 MB, if not before. The header `Link` names the next page
/// (`rel="next"`) where there is one.
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
        (status = 200, description = "A page", headers(
            ("ETag" = String),
            ("Link" = String, description = "Of CSV and NDJSON: where the next page is, as `<?…>; rel=\"next\"`"),
        ), content(
            (HistoryBody = "application/json"),
            (String = "text/csv"),
            (String = "application/x-ndjson"),
        )),
        (status = 304, description = "The client has it already"),
        ForReader,
    ),
)]
pub(crate) async fn history(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Id, Error>,
    uri: Uri,
    params: Result<Params, Error>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Id(project_id) = caller.check(id).await?;
    let params = caller.check(params).await?;
    let asked = caller.check(Asked::read(&uri, &headers, &params)).await?;
    api.project(&caller.user_id, &project_id).await?;
    let (format, limit, before) = match asked {
        Asked::Page { format, limit, before } => (format, limit, before),
        Asked::Series(asked) => return series::series(&api, &project_id, &headers, asked).await,
        Asked::Change(places) => return compare::compare(&api, project_id, &headers, places).await,
    };
    let mut response = match format {
        Format::Json => {
            let page = api.history(&project_id, before.as_ref(), limit).await?;
            let brief = |snapshot| SnapshotBody::brief(&project_id, snapshot);
            let snapshots = page.snapshots.into_iter().map(brief).collect();
            let next_before = page.next.as_ref().map(text);
            let project_id = project_id.clone();
            tagged(&headers, &HistoryBody { snapshots, next_before, project_id })?
        }
        _ => {
            let page = api.asked()?.brief_history(&project_id, before.as_ref(), limit).await;
            let page = page.map_err(|error| failed(&error))?;
            export::page(&headers, format, limit, page, &project_id)?
        }
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
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
