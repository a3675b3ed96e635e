//! The servers, and one turn after the other on them.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, Secret};
use shared::queue::{NewJob, Queue, QueueOptions};
use shared::recompute::{JOB_NAME, JobData, Reason, recompute_job};
use shared::redis::{Command, Redis};
use shared::store::{Database, NotAnId, ProjectId};
use tokio_postgres::Client;

use super::child::Task;
use super::figures::Sample;
use super::plan::{Turn, Workload};
use super::subject::{Done, Errand, Process, Subject};
use crate::Failure;
use crate::bench::commandstats::Executed;
use crate::delay::{DelayedRelay, Traffic};
use crate::gateway::{Gateway, GatewayConfig};
use crate::seed::{self, Plan};
use crate::servers::{PostgresServer, RedisServer};
use crate::settings::Settings;

/// The gateway's token.
const TOKEN: &str = "measured";

/// BullMQ's key prefix.
const PREFIX: &str = "bench";

/// Jobs that are added in a call of ours before a turn.
const ADDED: usize = 1_000;

/// A private Redis behind Upstash's REST API, and a private Postgres.
pub(crate) struct Stage {
    redis: RedisServer,
    postgres: PostgresServer,
    gateway: Gateway,
    client: Redis,
    /// To the server's own database.
    admin: Client,
    rivals: PathBuf,
    projects: u32,
    /// Batches at once, of ours and of the floors, each with a connection to Postgres.
    lanes: usize,
    databases: HashMap<&'static str, String>,
    relays: HashMap<Duration, Relays>,
    turns: u64,
}

/// In front of each server.
struct Relays {
    redis: DelayedRelay,
    rest: DelayedRelay,
    postgres: DelayedRelay,
}

impl Relays {
    fn traffic(&self) -> [Traffic; 3] {
        [self.redis.traffic(), self.rest.traffic(), self.postgres.traffic()]
    }
}

/// The rows of a workload's projects.
fn rows_of(workload: Workload, projects: u32) -> (&'static str, Plan) {
    let plan = |projects, pages, products| Plan {
        projects,
        pages,
        products,
        seed: 1,
        now_ms: Clock::System.now_ms(),
    };
    match workload {
        Workload::Tiny => ("tiny", plan(projects * 50, 1, 1)),
        Workload::Huge => ("huge", plan(1, 50_000, 50_000)),
        _ => ("shops", plan(projects, 30, 20)),
    }
}

/// A job about a project: as our API adds it to a queue with these options, or without any.
pub(crate) fn job(project: &str, options: Option<&QueueOptions>) -> Result<NewJob, NotAnId> {
    let data = JobData::new(ProjectId::parse(project)?, Reason::Manual);
    Ok(match options {
        Some(options) => recompute_job(&data, options),
        None => NewJob {
            name: JOB_NAME.to_owned(),
            data: data.to_json(),
            opts: Default::default(),
            promote_duplicate: false,
        },
    })
}

impl Stage {
    pub(crate) async fn start(
        projects: u32,
        lanes: usize,
        rivals: PathBuf,
    ) -> Result<Self, Failure> {
        let (redis, postgres) = tokio::try_join!(RedisServer::start(), PostgresServer::start())?;
        let gateway = Gateway::start(GatewayConfig::new(redis.url(), TOKEN)).await?;
        let admin = Database::parse(&Secret::new(postgres.url()))?.connect().await?;
        let mut stage = Self {
            client: Redis::new(&Endpoint::Tcp {
                url: Secret::new(redis.url()),
                allow_plaintext: true,
            })?,
            redis,
            postgres,
            gateway,
            admin,
            rivals,
            projects,
            lanes,
            databases: HashMap::new(),
            relays: HashMap::new(),
            turns: 0,
        };
        stage.relay(Duration::ZERO)?;
        Ok(stage)
    }

    fn relay(&mut self, round_trip: Duration) -> Result<(), Failure> {
        let gateway: SocketAddr = self.gateway.url().trim_start_matches("http://").parse()?;
        let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let start = |target| DelayedRelay::start(target, round_trip);
        let relays = Relays {
            redis: start(here(self.redis.port()))?,
            rest: start(gateway)?,
            postgres: start(here(port_of(&self.postgres.url())?))?,
        };
        self.relays.insert(round_trip, relays);
        Ok(())
    }

    /// The database of a workload, filled the first time.
    async fn database(&mut self, workload: Workload) -> Result<String, Failure> {
        let (name, plan) = rows_of(workload, self.projects);
        if let Some(url) = self.databases.get(name) {
            return Ok(url.clone());
        }
        let url = self.postgres.create_database().await?;
        seed::into_empty(&url, &plan).await?;
        let client = Database::parse(&Secret::new(&*url))?.connect().await?;
        client.batch_execute("VACUUM ANALYZE").await?;
        self.databases.insert(name, url.clone());
        Ok(url)
    }

    /// Prepares the queue, lets a subject work it off, and answers what that took.
    pub(crate) async fn take(&mut self, turn: &Turn) -> Result<Sample, Failure> {
        self.turns += 1;
        let database = self.database(turn.workload).await?;
        if !self.relays.contains_key(&turn.round_trip) {
            self.relay(turn.round_trip)?;
        }
        self.reset(&database).await?;
        if turn.workload != Workload::Enqueue && turn.subject != Subject::FloorPostgres {
            self.enqueue(turn).await?;
        }
        let ways = Ways::to(self, turn, &database);
        let before = self.statements(&database).await?;
        let processes =
            try_join_all((0..turn.processes).map(|_| self.subject(turn, &ways))).await?;
        let commands = self.executed().await?;
        let traffic = self.traffic(turn);
        let done = Done::together(&try_join_all(processes.into_iter().map(Process::go)).await?);
        let commands = self.executed().await?.since(commands).commands;
        let statements = self.statements(&database).await? - before;
        let traffic = self.traffic(turn).zip(traffic).map(|(after, before)| {
            let more = |at: usize| after[at].since(before[at]);
            [more(0), more(1), more(2)]
        });
        if done.jobs < u64::from(turn.jobs) {
            return Err(format!(
                "{} did {} jobs of {}",
                turn.subject.title(),
                done.jobs,
                turn.jobs
            )
            .into());
        }
        let statements = statements.saturating_sub(turn.subject.warming_statements());
        Ok(Sample::of(done, commands, statements, traffic))
    }

    /// Through relays, what they have carried so far.
    fn traffic(&self, turn: &Turn) -> Option<[Traffic; 3]> {
        (!turn.round_trip.is_zero()).then(|| self.relays[&turn.round_trip].traffic())
    }

    async fn executed(&self) -> Result<Executed, Failure> {
        Executed::by(&self.client).await
    }

    /// Statements of a database so far, once nobody uses it: each of ours, and each of the rivals', is a
    /// transaction, and a server's process counts its own at its end.
    async fn statements(&self, database: &str) -> Result<u64, Failure> {
        let name = database.rsplit('/').next().unwrap_or_default();
        let used = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
        while self.admin.query_one(used, &[&name]).await?.get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        let row = self.admin.query_one(query, &[&name]).await?;
        Ok(u64::try_from(row.get::<_, i64>(0))?)
    }

    /// An empty Redis, and a database as before the first turn.
    async fn reset(&self, database: &str) -> Result<(), Failure> {
        self.client.call(Command::new("FLUSHALL")).await?;
        let client = Database::parse(&Secret::new(database))?.connect().await?;
        client
            .batch_execute(
                r#"TRUNCATE "DeoScoreSnapshot";
                UPDATE "Project" SET "currentDeoScore" = NULL, "currentDeoScoreComputedAt" = NULL
                    WHERE "currentDeoScoreComputedAt" IS NOT NULL"#,
            )
            .await?;
        client.batch_execute(r#"VACUUM "Project""#).await?;
        Ok(())
    }

    async fn enqueue(&self, turn: &Turn) -> Result<(), Failure> {
        let config = self.config()?;
        let queue = Queue::new(self.client.clone(), &config.queue, Clock::System);
        let options = (turn.workload != Workload::Plain).then(|| queue.options().clone());
        let (_, plan) = rows_of(turn.workload, self.projects);
        let ids: Box<dyn Iterator<Item = String>> = match turn.workload {
            Workload::Shops | Workload::Tiny | Workload::Huge | Workload::Drains => {
                Box::new(plan.project_ids())
            }
            _ => Box::new((0..).map(|n| format!("project-{n}"))),
        };
        let mut ids = ids.take(turn.waiting as usize).peekable();
        while ids.peek().is_some() {
            let jobs = ids.by_ref().take(ADDED).map(|id| job(&id, options.as_ref()));
            let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
            queue.enqueue(&jobs).await?;
        }
        Ok(())
    }

    fn config(&self) -> Result<Config, Failure> {
        let settings = Settings::default()
            .without("UPSTASH_REDIS_REST_URL")
            .without("UPSTASH_REDIS_REST_TOKEN")
            .with("REDIS_TRANSPORT", "tcp")
            .with("REDIS_URL", self.redis.url())
            .with("REDIS_PREFIX", PREFIX);
        Ok(Config::from_env(&settings)?)
    }

    async fn subject(&self, turn: &Turn, ways: &Ways) -> Result<Process, Failure> {
        let subject = turn.subject;
        if subject.is_rival() {
            let errand = Errand {
                redis: &ways.redis,
                database: &ways.database,
                prefix: PREFIX,
                jobs: turn.jobs,
                options: bullmq_options(&self.config()?)?,
            };
            return Process::rival(subject, &self.rivals, errand).await;
        }
        let jobs = u64::from(turn.jobs);
        let task = match (turn.workload, subject) {
            (_, Subject::FloorPostgres) => {
                Task::Postgres { projects: turn.jobs, at_once: self.lanes, round: self.turns }
            }
            (Workload::Enqueue, _) => Task::Enqueue { jobs: turn.jobs },
            (Workload::Plain | Workload::Noop | Workload::Backlog, _)
            | (_, Subject::FloorRedis) => Task::Noop { jobs },
            _ => Task::Drain,
        };
        // One process hides latency behind batches at once, several behind each other.
        let lanes = if turn.workload == Workload::Drains { 1 } else { self.lanes };
        Process::ours(&serde_json::to_string(&task)?, ways.settings(subject, lanes)).await
    }
}

/// Returns the options of our jobs, in BullMQ's words.
pub(crate) fn bullmq_options(config: &Config) -> Result<serde_json::Value, Failure> {
    let jobs = &config.jobs;
    let keep = |keep: shared::config::Retention| json!({"age": keep.age_s, "count": keep.count});
    let delay = u64::try_from(jobs.backoff.as_millis())?;
    Ok(json!({"deduplicated": true, "job": {
        "attempts": jobs.attempts,
        "backoff": {"type": "exponential", "delay": delay, "jitter": jobs.backoff_jitter},
        "removeOnComplete": keep(jobs.keep_completed),
        "removeOnFail": keep(jobs.keep_failed),
    }}))
}

/// How a subject gets to the servers.
struct Ways {
    redis: String,
    rest: String,
    database: String,
}

impl Ways {
    fn to(stage: &Stage, turn: &Turn, database: &str) -> Self {
        let relays = &stage.relays[&turn.round_trip];
        if turn.round_trip.is_zero() {
            let (redis, rest) = (stage.redis.url(), stage.gateway.url());
            return Self { redis, rest, database: database.to_owned() };
        }
        let name = database.rsplit('/').next().unwrap_or_default();
        let who = database.split('@').next().unwrap_or_default();
        Self {
            redis: format!("redis://{}", relays.redis.address()),
            rest: format!("http://{}", relays.rest.address()),
            database: format!("{who}@{}/{name}", relays.postgres.address()),
        }
    }

    /// The whole environment of one of ours.
    fn settings(&self, subject: Subject, lanes: usize) -> Vec<(&'static str, String)> {
        let way = match subject {
            Subject::OursRest => vec![
                ("UPSTASH_REDIS_REST_URL", self.rest.clone()),
                ("UPSTASH_REDIS_REST_TOKEN", TOKEN.to_owned()),
            ],
            _ => vec![("REDIS_URL", self.redis.clone())],
        };
        let more = [
            ("DATABASE_URL", self.database.clone()),
            ("DRAIN_LANES", lanes.to_string()),
            ("REDIS_PREFIX", PREFIX.to_owned()),
            ("DRAIN_TIMEOUT_MS", "600000".to_owned()),
            ("QUEUE_LOCK_MS", "700000".to_owned()),
        ];
        way.into_iter().chain(more).collect()
    }
}

/// Returns the port of a database's URL.
pub(crate) fn port_of(url: &str) -> Result<u16, Failure> {
    let port = url.rsplit('@').next().and_then(|it| it.split([':', '/']).nth(1));
    Ok(port.ok_or("the database's URL has no port")?.parse()?)
}
