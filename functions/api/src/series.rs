//! Serves what a plot shows of a project's scores.

use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use shared::clock::{from_iso8601, to_iso8601};
use shared::store::{FEWEST_POINTS, MOST_POINTS, Point, Span};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::access::failed;
use crate::described::{ForReader, IdParam, TagParam};
use crate::error::Error;
use crate::etag::tagged;
use crate::input::{Params, number};

/// A project's scores over a span.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Series)]
pub(crate) struct SeriesBody {
    project_id: String,
    /// How many snapshots there are in the span. Where they are more than the points, each part of the
    /// span has its lowest and its highest; its first and its newest are always there.
    snapshots: u64,
    /// The oldest first.
    points: Vec<PointBody>,
}

/// A score at a time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Point)]
struct PointBody {
    /// ISO 8601 with milliseconds, UTC.
    #[schema(format = DateTime)]
    computed_at: String,
    overall: i32,
}

impl From<Point> for PointBody {
    fn from(point: Point) -> Self {
        Self { computed_at: to_iso8601(point.computed_at_ms), overall: point.overall }
    }
}

/// Which part of the scores.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `asked` reads it")]
struct SeriesQuery {
    /// From this time on, such as `2026-01-31` or `2026-01-31T12:00:00.000Z`; from the first when left out.
    #[param(nullable = false)]
    from: Option<String>,
    /// Before this time; to the newest when left out.
    #[param(nullable = false)]
    to: Option<String>,
    /// Points at most; 400 when left out.
    #[param(minimum = 4, maximum = 400, nullable = false)]
    points: Option<u32>,
}

/// The time of a text; the years are 0000 to 9999.
pub(crate) fn time(text: &str) -> Option<i64> {
    // Years of four digits: Postgres cannot hold all that ECMAScript can.
    text.split('-').next().filter(|year| year.len() == 4).and_then(|_| from_iso8601(text))
}

/// The span that a request asks for.
pub(crate) fn span(params: &Params) -> Result<Span, Error> {
    let refusal = "from and to must be times such as 2026-01-31 or 2026-01-31T12:00:00.000Z";
    let end = |name| match params.get(name)? {
        Some(text) => time(text).map(Some).ok_or(Error::bad_request(refusal)),
        None => Ok(None),
    };
    Ok((end("from")?, end("to")?))
}

/// The span and the number of points that a request asks for.
pub(crate) fn asked(params: &Params) -> Result<(Span, u32), Error> {
    let points = number(params.get("points")?, MOST_POINTS, FEWEST_POINTS..=MOST_POINTS);
    let points = points.ok_or(Error::bad_request("points must be a number from 4 to 400"))?;
    Ok((span(params)?, points))
}

/// A project's scores over a span, in as few points as a plot can show.
#[utoipa::path(
    get,
    path = "/projects/{id}/deo-score/series",
    tag = "score",
    params(
        IdParam,
        SeriesQuery,
        TagParam,
    ),
    responses(
        (status = 200, description = "The scores", body = SeriesBody, headers(("ETag" = String))),
        (status = 304, description = "The client has it already"),
        ForReader,
    ),
)]
pub(crate) async fn series(
    api: &Api,
    project_id: &str,
    headers: &HeaderMap,
    (span, points): (Span, u32),
) -> Result<Response, Error> {
    let series = api.asked()?.series(project_id, span, points).await;
    let series = series.map_err(|error| failed(&error))?;
    let points = series.points.into_iter().map(PointBody::from).collect();
    let project_id = project_id.to_owned();
    tagged(headers, &SeriesBody { project_id, snapshots: series.snapshots, points })
}
