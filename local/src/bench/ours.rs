//! Our side: whole ticks of the drain, with every command counted by Redis itself.

use std::time::Duration;

use shared::clock::Clock;
use shared::config::Config;
use shared::engine::{Report, Ticker};
use shared::queue::{ClaimRequest, Code, JobOptions, KeepJobs, NewJob, Queue, Settlement};
use shared::recompute::{JOB_NAME, JobData, Reason, open, open_store, recompute_job, ticker};
use shared::store::ProjectId;
use tokio::time::Instant;

use crate::Failure;
use crate::bench::commandstats::Executed;
use crate::seed::{self, Plan};
use crate::servers::{PostgresServer, RedisServer};
use crate::settings::Settings;

/// Jobs of one enqueue call, and of one batch of the drain.
const BATCH: usize = 100;

/// Longer than any tick here.
const TICK: Duration = Duration::from_secs(50);

/// Private servers, with a project for every job.
pub(super) struct Ours {
    redis: RedisServer,
    postgres: PostgresServer,
    projects: Vec<ProjectId>,
}

/// What every row of the table comes to.
pub(super) struct Costs {
    pub(super) keep: f64,
    pub(super) keep_with_events: f64,
    pub(super) remove: f64,
    pub(super) by_api: f64,
    pub(super) by_cron: f64,
    pub(super) lone: f64,
    pub(super) round_trips: f64,
    /// Of one batch of which a job fails for good, and the claim of the next with it.
    pub(super) failing: f64,
    pub(super) failing_round_trips: f64,
    pub(super) idle: f64,
}

/// One queue of its own on the servers.
struct Bench {
    queue: Queue,
    recompute: Ticker,
}

impl Ours {
    /// Servers, tables and `jobs` projects.
    pub(super) async fn start(jobs: u32) -> Result<Self, Failure> {
        let (redis, postgres) = tokio::try_join!(RedisServer::start(), PostgresServer::start())?;
        let now_ms = Clock::System.now_ms();
        let plan = Plan { projects: jobs, pages: 1, products: 1, seed: 1, now_ms };
        seed::into_empty(&postgres.url(), &plan).await?;
        let projects = plan.project_ids().map(ProjectId::parse).collect::<Result<_, _>>()?;
        Ok(Self { redis, postgres, projects })
    }

    /// What BullMQ is to keep of the jobs that it processes: ours, in its own words.
    pub(super) fn retention(&self) -> Result<serde_json::Value, Failure> {
        let keep = self.config("retention", "false")?.jobs.keep_completed;
        Ok(serde_json::json!({"age": keep.age_s, "count": keep.count}))
    }

    fn config(&self, prefix: &str, events: &str) -> Result<Config, Failure> {
        let settings = Settings::default()
            .without("UPSTASH_REDIS_REST_URL")
            .without("UPSTASH_REDIS_REST_TOKEN")
            .with("REDIS_TRANSPORT", "tcp")
            .with("REDIS_URL", self.redis.url())
            .with("DATABASE_URL", self.postgres.url())
            .with("REDIS_PREFIX", prefix)
            .with("ENABLE_QUEUE_EVENTS", events)
            .with("ENABLE_QUEUE_PROCESSORS", "true")
            .with("QUEUE_BATCH_SIZE", BATCH.to_string())
            .with("DRAIN_TIMEOUT_MS", TICK.as_millis().to_string());
        Ok(Config::from_env(&settings)?)
    }

    fn bench(&self, prefix: &str, events: &str) -> Result<Bench, Failure> {
        let config = self.config(prefix, events)?;
        let (queue, _) = open(&config, Clock::System)?;
        let store = open_store(&config, config.drain.lanes)?;
        let recompute = ticker(queue.clone(), store, &config.drain, Clock::System);
        Ok(Bench { queue, recompute })
    }

    /// A queue that has had its first job: what is set up with that comes once in a queue's life, or
    /// once a week.
    async fn opened(&self, prefix: &str, events: &str) -> Result<Bench, Failure> {
        let bench = self.bench(prefix, events)?;
        bench.drain(&bench.asked(&self.projects[..1], Reason::Manual)).await?;
        Ok(bench)
    }

    /// Measures all rows.
    pub(super) async fn measure(&self) -> Result<Costs, Failure> {
        let plain = |remove| {
            let opts = JobOptions { remove_on_complete: remove, ..JobOptions::default() };
            self.projects.iter().map(|id| job(id, opts.clone())).collect::<Vec<_>>()
        };
        let kept = plain(None);
        let off = self.opened("keep", "false").await?;
        let keep = off.cost(&kept).await?;
        let on = self.opened("events", "true").await?;
        let keep_with_events = on.cost(&kept).await?;
        let remove =
            self.opened("remove", "false").await?.cost(&plain(Some(KeepJobs::None))).await?;

        let api = self.opened("api", "false").await?;
        let by_api = api.warm_cost(&self.projects, Reason::Manual).await?;
        let lone = api.cost(&api.asked(&self.projects[..1], Reason::Manual)).await?;
        let cron = self.opened("cron", "false").await?;
        let by_cron = cron.warm_cost(&self.projects, Reason::Scheduled).await?;

        // What a longer drain takes on top of a shorter one is the steady state alone.
        let (short, long) =
            (off.drain(&kept).await?, off.drain(&[&kept[..], &kept].concat()).await?);
        let more = (long.round_trips - short.round_trips) as f64;
        let round_trips = more * BATCH as f64 / kept.len() as f64;

        let (failing, failing_round_trips) = api.failing(&self.projects).await?;

        let before = off.executed().await?;
        off.tick().await?;
        let idle = off.executed().await?.since(before).commands as f64;
        Ok(Costs {
            keep,
            keep_with_events,
            remove,
            by_api,
            by_cron,
            lone,
            round_trips,
            failing,
            failing_round_trips,
            idle,
        })
    }
}

impl Bench {
    /// A recompute of each project, as it is asked for in production.
    fn asked(&self, projects: &[ProjectId], reason: Reason) -> Vec<NewJob> {
        let ask =
            |id: &ProjectId| recompute_job(&JobData::new(id.clone(), reason), self.queue.options());
        projects.iter().map(ask).collect()
    }

    /// As [`Bench::cost`], once as many jobs were completed that retention makes room.
    async fn warm_cost(&self, projects: &[ProjectId], reason: Reason) -> Result<f64, Failure> {
        let asked = self.asked(projects, reason);
        self.cost(&asked).await?;
        self.cost(&asked).await
    }

    /// Settles a batch of which one job fails for good, and claims the next, on a queue that evicts a job
    /// for each that ends: commands and round trips.
    async fn failing(&self, projects: &[ProjectId]) -> Result<(f64, f64), Failure> {
        let half = projects.len().min(2 * BATCH) / 2;
        self.queue.enqueue(&self.asked(&projects[..2 * half], Reason::Manual)).await?;
        let queue = self.queue.over(self.queue.redis().metered());
        let all = ClaimRequest::everywhere(u32::try_from(half)?);
        let claim = queue.claim(all).await?;
        let mut jobs: Vec<_> = claim
            .jobs
            .into_iter()
            .map(|job| (job, Settlement::Complete("null".to_owned())))
            .collect();
        if let Some((_, settlement)) = jobs.get_mut(half / 2) {
            *settlement = Settlement::Unrecoverable("no luck".to_owned());
        }
        let (before, trips) = (self.executed().await?, queue.redis().usage().round_trips);
        let (settled, next) = queue.settle_and_claim(&claim.token, &jobs, all).await?;
        let spent = self.executed().await?.since(before).commands;
        let trips = queue.redis().usage().round_trips - trips;
        if settled.codes.get(half / 2) != Some(&Code::Failed) || next.jobs.len() != half {
            return Err("a batch with a failing job did not end as it should".into());
        }
        let rest: Vec<_> = next
            .jobs
            .into_iter()
            .map(|job| (job, Settlement::Complete("null".to_owned())))
            .collect();
        queue.settle(&next.token, &rest).await?;
        Ok((spent as f64, trips as f64))
    }

    async fn executed(&self) -> Result<Executed, Failure> {
        Executed::by(self.queue.redis()).await
    }

    async fn tick(&self) -> Result<Report, Failure> {
        let report = self.recompute.tick(Instant::now() + TICK).await;
        match report.error {
            Some(error) => Err(error.into()),
            None => Ok(report),
        }
    }

    /// Adds `jobs` in batches and completes them in one tick.
    async fn drain(&self, jobs: &[NewJob]) -> Result<Report, Failure> {
        for batch in jobs.chunks(BATCH) {
            self.queue.enqueue(batch).await?;
        }
        let report = self.tick().await?;
        if report.completed != jobs.len() as u64 {
            let completed = report.completed;
            return Err(format!("{completed} of {} jobs completed in one tick", jobs.len()).into());
        }
        Ok(report)
    }

    /// Billed commands a job, from enqueue to completed, with all that its tick does besides.
    async fn cost(&self, jobs: &[NewJob]) -> Result<f64, Failure> {
        let before = self.executed().await?;
        self.drain(jobs).await?;
        let spent = self.executed().await?.since(before).commands;
        Ok(spent as f64 / jobs.len() as f64)
    }
}

fn job(project_id: &ProjectId, opts: JobOptions) -> NewJob {
    let data = JobData::new(project_id.clone(), Reason::Manual).to_json();
    NewJob { name: JOB_NAME.to_owned(), data, opts, promote_duplicate: false }
}
