//! One round: a recompute of every project asked for, drained, and read back.

use std::collections::{HashMap, HashSet};

use drain::Drain;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shared::config::Config;
use shared::engine::{Report, StoppedBecause};
use tokio::time::Instant;

use super::client::{Client, Scores};
use crate::Failure;
use crate::http_api::HttpApi;
use crate::seed::Plan;

/// Requests at a time.
const AT_ONCE: usize = 8;

/// Recomputes that were asked for and wait.
pub(super) struct Begun {
    title: &'static str,
    projects: Vec<String>,
    client: Client,
    _api: HttpApi,
}

/// A round that went well.
pub(super) struct Round {
    pub(super) title: &'static str,
    /// Each project's scores, in the plan's order.
    pub(super) scores: Vec<(String, Scores)>,
    pub(super) report: Report,
    snapshots: HashMap<String, String>,
}

impl Round {
    /// Asks for a recompute of every project, by HTTP.
    pub(super) async fn begin(
        title: &'static str,
        config: &Config,
        plan: &Plan,
    ) -> Result<Begun, Failure> {
        let api = HttpApi::start(config).await?;
        let secret = config.jwt_secret.as_ref().ok_or("JWT_SECRET is not set")?;
        let client = Client::new(api.url(), &plan.user_id(), secret)?;
        let projects: Vec<String> = plan.project_ids().collect();
        let jobs: HashSet<String> = stream::iter(&projects)
            .map(|project| client.recompute(project))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        if jobs.len() != projects.len() {
            return Err(format!("{} projects got {} jobs", projects.len(), jobs.len()).into());
        }
        Ok(Begun { title, projects, client, _api: api })
    }
}

impl Begun {
    /// Drains, reads every project's score by HTTP, and checks that each has a snapshot that the
    /// round before did not have.
    pub(super) async fn drain(
        self,
        config: &Config,
        before: Option<&Round>,
    ) -> Result<Round, Failure> {
        let report = Drain::new(config)?.tick(Instant::now() + config.drain.timeout).await;
        let all = self.projects.len() as u64;
        if report.stopped_because != StoppedBecause::Empty || report.completed != all {
            return Err(format!("of {all} jobs not all were completed: {report:?}").into());
        }
        let answers: Vec<_> = stream::iter(&self.projects)
            .map(|project| self.client.score(project))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut scores = Vec::with_capacity(answers.len());
        let mut snapshots = HashMap::with_capacity(answers.len());
        for answer in answers {
            let project = answer.project_id;
            let (Some(score), Some(snapshot)) = (answer.latest_score, answer.latest_snapshot)
            else {
                return Err(format!("project {project} has no score").into());
            };
            if before.is_some_and(|round| round.snapshots.get(&project) == Some(&snapshot.id)) {
                return Err(format!("project {project} got no new snapshot").into());
            }
            snapshots.insert(project.clone(), snapshot.id);
            scores.push((project, score));
        }
        Ok(Round { title: self.title, scores, report, snapshots })
    }
}
