//! Shows administrators all projects at once: how their scores are distributed, and lists of those to look at.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::config::Scope;
use shared::queue::State as JobState;
use shared::recompute::JobData;
use shared::store::{Fleet, Span, Stretch, is_id};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::access::failed;
use crate::caller::Caller;
use crate::described::{ForAdmin, ForReader};
use crate::error::Error;
use crate::input::{Params, number};
use crate::queue::{no_queue, not_read};
use crate::series;

/// Projects a page, where the request does not say.
const DEFAULT_LIMIT: u32 = 30;

/// Projects a page at most.
const MAX_LIMIT: u32 = 100;

/// How many projects a page of stale ones looks at.
const LOOK_AT: u32 = 1_000;

/// The span of the movers, where the request does not say: a week.
const A_WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// How the projects' scores are distributed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Fleet)]
pub(crate) struct FleetBody {
    /// Projects in all.
    projects: u64,
    /// Those that never had a score.
    never_scored: u64,
    /// Those with a score of 0 to 9, of 10 to 19, and so on; the last is 90 to 100.
    #[schema(min_items = 10, max_items = 10)]
    scores: Vec<u64>,
}

/// A page of a list of projects.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = FleetPage)]
pub(crate) struct FleetPage {
    projects: Vec<ProjectBody>,
    /// What to pass as `after` for the next page; `null` on the last one. A page may be short, or empty,
    /// though there are more.
    #[schema(required = true)]
    next: Option<String>,
}

/// A project in a list, and why it is there.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FleetProject)]
struct ProjectBody {
    project_id: String,
    /// Of a mover: its score when the span began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    from: Option<i32>,
    /// Of a mover: its score when the span ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    to: Option<i32>,
    /// Of a failing one: its job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    job_id: Option<String>,
    /// Why that failed: the first 2,000 bytes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failed_reason: Option<String>,
    /// When it failed, in milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    finished_on: Option<i64>,
}

impl ProjectBody {
    fn named(project_id: String) -> Self {
        Self { project_id, ..Self::default() }
    }
}

/// Which list.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described; `Asked` reads it")]
struct ListParam {
    /// `movers`: whose scores moved most over a span, up or down. `never-scored`, `stale`: by id; the nightly
    /// round asks for the stale ones. `failing`: whose job failed for good, the latest first, and who were
    /// not scored since.
    #[param(pattern = "^(movers|never-scored|stale|failing)$")]
    list: String,
}

/// Which page of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described; `Asked` reads it")]
struct FleetQuery {
    /// Projects a page; 30 when left out.
    #[param(minimum = 1, maximum = 100, nullable = false)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(nullable = false)]
    after: Option<String>,
    /// When the movers' span begins, such as `2026-01-31`; a week ago when left out.
    #[param(nullable = false)]
    from: Option<String>,
    /// Before when it ends; now when left out.
    #[param(nullable = false)]
    to: Option<String>,
}

/// A place in a list that is not ordered by ids alone: a number and an id, such as `12_p1`.
type Place = (i64, String);

/// What a request asks of the fleet.
enum Asked {
    Distribution,
    Movers(Span, Option<Place>),
    NeverScored(Option<String>),
    Stale(Option<String>),
    Failing(Option<Place>),
}

impl Asked {
    fn read(uri: &Uri, params: &Params, now_ms: i64) -> Result<Self, Error> {
        let after = params.get("after")?;
        let refusal = || Error::bad_request("after must be the next of an earlier page");
        let id = || match after {
            Some(id) if !is_id(id) => Err(refusal()),
            after => Ok(after.map(str::to_owned)),
        };
        let place = |is_id: fn(&str) -> bool| {
            let read = |text: &str| {
                let (number, id) = text.split_once('_').filter(|(_, id)| is_id(id))?;
                Some((number.parse().ok()?, id.to_owned()))
            };
            after.map(|text| read(text).ok_or_else(refusal)).transpose()
        };
        match uri.path().trim_end_matches('/').strip_prefix("/fleet") {
            Some("") => Ok(Self::Distribution),
            Some("/movers") => {
                let (from, to) = series::span(params)?;
                Ok(Self::Movers((from.or(Some(now_ms - A_WEEK_MS)), to), place(is_id)?))
            }
            Some("/never-scored") => id().map(Self::NeverScored),
            Some("/stale") => id().map(Self::Stale),
            // BullMQ bounds no id.
            Some("/failing") => place(|id| !id.is_empty()).map(Self::Failing),
            _ => Err(Error::not_found("There is no such list")),
        }
    }
}

/// How the projects' scores are distributed, for administrators.
#[utoipa::path(
    get,
    path = "/fleet",
    tag = "fleet",
    responses((status = 200, description = "The scores", body = FleetBody), ForAdmin),
)]
pub(crate) async fn distribution(api: &Api) -> Result<FleetBody, Error> {
    let Fleet { scores, never_scored } =
        api.asked()?.fleet().await.map_err(|error| failed(&error))?;
    let projects = never_scored + scores.iter().sum::<u64>();
    Ok(FleetBody { projects, never_scored, scores: scores.to_vec() })
}

/// A list of projects to look at, for administrators.
#[utoipa::path(
    get,
    path = "/fleet/{list}",
    tag = "fleet",
    params(ListParam, FleetQuery),
    responses((status = 200, description = "A page", body = FleetPage), ForReader),
)]
pub(crate) async fn fleet(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
    params: Result<Params, Error>,
) -> Result<Response, Error> {
    let params = caller.check(params).await?;
    let asked = caller.check(Asked::read(&uri, &params, api.clock().now_ms())).await?;
    let limit = params.get("limit").and_then(|text| {
        // The distribution is one page.
        let text = text.filter(|_| !matches!(asked, Asked::Distribution));
        let limit = number(text, DEFAULT_LIMIT, 1..=MAX_LIMIT);
        limit.ok_or(Error::bad_request("limit must be a number from 1 to 100"))
    });
    let limit = caller.check(limit).await?;
    api.admin(&caller.user_id).await?;
    let store = api.asked()?;
    // A full page may not be the last one.
    let is_full = |page: &FleetPage| page.projects.len() == limit as usize;
    let mut page = FleetPage::default();
    match asked {
        Asked::Distribution => return Ok(Json(distribution(&api).await?).into_response()),
        Asked::Movers(span, place) => {
            let after = place.as_ref().map(|(size, id)| (size.unsigned_abs() as u32, id.as_str()));
            let movers = store.movers(span, after, limit).await.map_err(|error| failed(&error))?;
            let next = movers.last().map(|it| format!("{}_{}", it.size(), it.project_id));
            page.projects.extend(movers.into_iter().map(|it| ProjectBody {
                from: Some(it.from),
                to: Some(it.to),
                ..ProjectBody::named(it.project_id)
            }));
            page.next = next.filter(|_| is_full(&page));
        }
        Asked::NeverScored(after) => {
            let ids = store.never_scored(after.as_deref(), limit).await;
            let ids = ids.map_err(|error| failed(&error))?;
            let next = ids.last().cloned();
            page.projects.extend(ids.into_iter().map(ProjectBody::named));
            page.next = next.filter(|_| is_full(&page));
        }
        Asked::Stale(after) => {
            let stretch =
                Stretch { after: after.as_deref(), until: None, look_at: LOOK_AT, take: limit };
            let found = store.projects_page(Scope::Stale, stretch, api.max_age_days()).await;
            let found = found.map_err(|error| failed(&error))?;
            page.projects.extend(found.ids.into_iter().map(ProjectBody::named));
            page.next = found.next;
        }
        Asked::Failing(place) => page = failing(&api, place, limit).await?,
    }
    Ok(Json(page).into_response())
}

/// The projects of the jobs that failed last, each once, but for those that were scored since.
async fn failing(api: &Api, place: Option<Place>, limit: u32) -> Result<FleetPage, Error> {
    let queue = api.queue().ok_or(no_queue())?;
    let skip = match place {
        Some((ms, id)) => queue.place_behind(JobState::Failed, &id, ms).await.map_err(not_read)?,
        None => 0,
    };
    let jobs = queue.jobs(JobState::Failed, skip, limit.into()).await.map_err(not_read)?;
    let next = jobs
        .last()
        .filter(|_| jobs.len() == limit as usize)
        .map(|job| format!("{}_{}", job.finished_on.unwrap_or_default(), job.id));
    let mut projects: Vec<ProjectBody> = Vec::new();
    for job in jobs {
        let data = job.data.as_deref().and_then(|data| JobData::parse(data).ok());
        let Some(project_id) = data.map(|data| String::from(data.project_id)) else { continue };
        if projects.iter().all(|project| project.project_id != project_id) {
            projects.push(ProjectBody {
                job_id: Some(job.id),
                failed_reason: job.failed_reason,
                finished_on: job.finished_on,
                ..ProjectBody::named(project_id)
            });
        }
    }
    let failed_at: Vec<(&str, i64)> = projects
        .iter()
        .map(|it| (it.project_id.as_str(), it.finished_on.unwrap_or_default()))
        .collect();
    let still = api.asked()?.still_failing(&failed_at).await.map_err(|error| failed(&error))?;
    projects.retain(|project| still.contains(&project.project_id));
    Ok(FleetPage { projects, next })
}
