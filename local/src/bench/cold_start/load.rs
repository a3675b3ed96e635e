//! The drain's memory while it works.

use serde::Serialize;
use shared::config::Config;
use shared::engine::{Report, StoppedBecause};
use shared::queue::NewJob;
use shared::recompute::{JobData, Reason, recompute_job};
use shared::store::{NotAnId, ProjectId};
use tokio::time::Instant;

use super::subject::Subject;
use crate::Failure;
use crate::bench::world::World;
use crate::queue::connect;
use crate::seed::Plan;
use crate::settings::Settings;

/// The queue's prefix, so that no idle tick meets its jobs.
const PREFIX: &str = "load";

/// Projects at most. Seeding is slow, and what is in memory at a time is a batch, whose projects differ.
const PROJECTS: u32 = 2_000;

/// A queue full of jobs.
pub(super) struct Load {
    jobs: u32,
    database_url: String,
}

/// What draining it took.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Loaded {
    pub(crate) jobs: u64,
    pub(crate) ticks: u32,
    pub(crate) seconds: f64,
    pub(crate) peak_bytes: u64,
}

impl Load {
    /// Enqueues `jobs` jobs, a project's next one only after all other projects'.
    pub(super) async fn prepare(world: &World, jobs: u32) -> Result<Self, Failure> {
        let projects = jobs.min(PROJECTS);
        let database_url = world.database(projects).await?;
        let settings = Settings::default()
            .without("REDIS_TRANSPORT")
            .without("UPSTASH_REDIS_REST_URL")
            .without("UPSTASH_REDIS_REST_TOKEN")
            .with("REDIS_URL", world.redis.url())
            .with("REDIS_PREFIX", PREFIX);
        let queue = connect(&Config::from_env(&settings)?)?;
        let plan = Plan { projects, pages: 0, products: 0, seed: 1, now_ms: 0 };
        let job = |id: String| {
            let data = JobData::new(ProjectId::parse(id)?, Reason::Scheduled);
            let mut job = recompute_job(&data, queue.options());
            // Else a project's second job would be its first.
            job.opts.deduplication = None;
            Ok(job)
        };
        let ids: Vec<String> = plan.project_ids().collect();
        let new = ids.into_iter().cycle().take(jobs as usize).map(job);
        let new = new.collect::<Result<Vec<NewJob>, NotAnId>>()?;
        queue.enqueue(&new).await?;
        Ok(Self { jobs, database_url })
    }

    /// Ticks in one environment until the queue is empty.
    pub(super) async fn drain(self, drain: &Subject, world: &World) -> Result<Loaded, Failure> {
        let mut settings = world.settings(PREFIX);
        settings.push(("DATABASE_URL".to_owned(), self.database_url));
        let mut function = drain.start(&settings).await?;
        let begun = Instant::now();
        let mut loaded = Loaded { jobs: 0, ticks: 0, seconds: 0.0, peak_bytes: 0 };
        loop {
            let report: Report =
                serde_json::from_str(&function.invoke(&drain.event).await?.answer)?;
            loaded.jobs += report.completed;
            loaded.ticks += 1;
            match report.stopped_because {
                StoppedBecause::Deadline => {}
                StoppedBecause::Empty if loaded.jobs == u64::from(self.jobs) => break,
                _ => {
                    return Err(
                        format!("of {} jobs not all were done: {report:?}", self.jobs).into()
                    );
                }
            }
        }
        loaded.seconds = begun.elapsed().as_secs_f64();
        loaded.peak_bytes = function.peak_memory()?;
        function.stop().await;
        Ok(loaded)
    }
}
