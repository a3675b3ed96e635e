//! A recompute at once, within the request.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use shared::recompute::{Now, recompute_now};
use shared::redis::hex;
use shared::store::ProjectId;
use utoipa::ToSchema;

use crate::Api;
use crate::access::failed;
use crate::caller::Caller;
use crate::described::{ForSync, IdParam};
use crate::error::Error;
use crate::input::{Body, Form, Project};

/// The longest that reading, scoring and storing may take: so that there is time to answer.
const LIMIT: Duration = Duration::from_secs(8);

/// A request has nothing to say.
#[derive(Deserialize, ToSchema)]
#[schema(as = RecomputeSync)]
pub(crate) struct SyncBody {}

impl Form for SyncBody {
    const EXPECTED: &'static str = "The body must be empty or an object";
}

/// The score.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RecomputedSync)]
pub(crate) struct SyncAnswer {
    #[schema(value_type = String)]
    project_id: ProjectId,
    /// `true`.
    computed: bool,
    /// Overall, 0 to 100.
    score: i32,
}

/// The projects that this instance computes now.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashSet<String>>);

/// One of them, until it is dropped.
struct Turn<'a> {
    all: &'a UnderWay,
    id: String,
}

impl UnderWay {
    fn projects(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` while there is a turn of the project.
    fn begin(&self, id: &str) -> Option<Turn<'_>> {
        let is_first = self.projects().insert(id.to_owned());
        // Made only then: a turn that is dropped ends the other one.
        is_first.then(|| Turn { all: self, id: id.to_owned() })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.all.projects().remove(&self.id);
    }
}

/// Computes one project's score at once, and stores it.
///
/// Without the queue: the answer has the score. One at a time a project; a project that takes longer than a
/// request may is for `recompute`.
#[utoipa::path(
    post,
    path = "/projects/{id}/deo-score/recompute-sync",
    tag = "score",
    params(IdParam),
    request_body = Option<SyncBody>,
    responses((status = 201, description = "The score, which is stored", body = SyncAnswer), ForSync),
)]
pub(crate) async fn recompute_sync(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Project, Error>,
    body: Result<Body<SyncBody>, Error>,
) -> Result<(StatusCode, Json<SyncAnswer>), Error> {
    // What it took to let the caller in is over by now.
    let until = caller.since + LIMIT;
    let Project(project_id) = caller.check(id).await?;
    caller.check(body).await?;
    api.project(&caller.user_id, project_id.as_str()).await?;
    // In one instance; the database tells of the others.
    let Some(_turn) = api.0.under_way.begin(project_id.as_str()) else {
        return Err(Error::UnderWay);
    };
    let (store, clock, retention) = (api.asked()?, api.clock(), api.0.retention);
    let mut name = [0; 16];
    SystemRandom::new().fill(&mut name).map_err(|_| Error::internal(&"there is no randomness"))?;
    match recompute_now(store, clock, retention, &project_id, &hex(&name), until).await {
        Ok(Now::Computed(score)) => {
            let answer = SyncAnswer { project_id, computed: true, score };
            Ok((StatusCode::CREATED, Json(answer)))
        }
        Ok(Now::Missing) => Err(Error::not_found("Project not found")),
        Ok(Now::UnderWay) => Err(Error::UnderWay),
        Ok(Now::Locked) => {
            Err(Error::Unavailable("The project is locked by somebody else; try again"))
        }
        Ok(Now::Broken) => Err(Error::Internal),
        Err(error) if error.is_overdue() => {
            tracing::warn!(%error, project = project_id.as_str(), "a recompute-sync took too long");
            Err(Error::Unavailable(
                "The score cannot be computed within a request; ask for a recompute instead",
            ))
        }
        Err(error) => Err(failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::UnderWay;

    #[test]
    fn a_turn_ends_when_it_is_dropped_and_no_sooner() {
        let all = UnderWay::default();
        let turn = all.begin("p1").unwrap();
        for _ in 0..2 {
            assert!(all.begin("p1").is_none());
        }
        assert!(all.begin("p2").is_some());
        drop(turn);
        assert!(all.begin("p1").is_some());
    }
}
