//! Whole ticks against a real Redis and a real Postgres: what they do, what they cost, and that
//! nothing is lost or doubled when something dies under them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use local::servers::{PostgresServer, RedisServer};
use shared::clock::Clock;
use shared::config::{Config, Env, Events, Secret};
use shared::queue::{Counts, JobOptions, NewJob, Queue};
use shared::recompute::{
    JobData, Reason, Recompute, Remaining, Report, StoppedBecause, recompute_job,
};
use shared::redis::{Command, Redis};
use shared::store::{Database, Store};
use tokio::process;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

async fn postgres() -> &'static PostgresServer {
    static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { PostgresServer::start().await.unwrap() }).await
}

/// A Redis and a database of its own for one test.
struct World {
    redis: RedisServer,
    database: Client,
    env: BTreeMap<String, String>,
    queue: Queue,
}

impl World {
    async fn new() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let url = postgres().await.create_database().await.unwrap();
        let target = Database::parse(&Secret::new(&url)).unwrap();
        local::migrations::migrate(&target, false).await.unwrap();
        let database = connect(&url).await;
        database
            .batch_execute(r#"INSERT INTO "User" (id, email, password, "updatedAt") VALUES ('u', 'u@example.com', '', now())"#)
            .await
            .unwrap();
        let env = BTreeMap::from([
            ("REDIS_URL".to_owned(), redis.url()),
            ("DATABASE_URL".to_owned(), url),
        ]);
        let queue = queue(&config(&env));
        Self { redis, database, env, queue }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
        self.queue = queue(&config(&self.env));
    }

    async fn projects(&self, ids: impl IntoIterator<Item = String>) -> Vec<String> {
        let ids: Vec<String> = ids.into_iter().collect();
        self.database
            .execute(
                r#"INSERT INTO "Project" (id, "userId", name) SELECT id, 'u', id FROM unnest($1::text[]) AS id"#,
                &[&ids],
            )
            .await
            .unwrap();
        ids
    }

    async fn numbered(&self, n: usize) -> Vec<String> {
        self.projects((0..n).map(|i| format!("p{i:04}"))).await
    }

    async fn enqueue(&self, projects: &[String]) -> Vec<String> {
        let jobs: Vec<NewJob> =
            projects.iter().map(|id| recompute_job(&data(id), self.queue.config())).collect();
        self.queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect()
    }

    async fn tick(&self) -> Report {
        recompute(&config(&self.env)).tick(Instant::now() + Duration::from_secs(50)).await
    }

    async fn counts(&self) -> Counts {
        self.queue.counts().await.unwrap()
    }

    /// Snapshots of every project that has any.
    async fn snapshots(&self) -> HashMap<String, i64> {
        let rows = self
            .database
            .query(r#"SELECT "projectId", count(*) FROM "DeoScoreSnapshot" GROUP BY 1"#, &[])
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Commands that Redis has executed, those inside scripts included.
    async fn executed(&self) -> u64 {
        let info = self.queue.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
        let calls =
            info.as_str().unwrap().lines().filter_map(|line| {
                line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok()
            });
        calls.sum()
    }

    /// Makes the locks of dead owners run out, and lets the next recovery pass happen at once.
    async fn age(&self) {
        let base = "engineo:deo_score_queue:";
        let redis = self.queue.redis();
        let active =
            redis.call(Command::new("LRANGE").arg(format!("{base}active")).arg("0").arg("-1"));
        for id in active.await.unwrap().as_array().unwrap() {
            let id = id.as_str().unwrap();
            redis.call(Command::new("DEL").arg(format!("{base}{id}:lock"))).await.unwrap();
        }
        redis.call(Command::new("DEL").arg(format!("{base}stalled-check"))).await.unwrap();
    }
}

fn config(env: &BTreeMap<String, String>) -> Config {
    Config::from_env(env as &dyn Env).unwrap()
}

fn queue(config: &Config) -> Queue {
    let redis = Redis::new(config.redis.as_ref().unwrap()).unwrap();
    Queue::new(redis, &config.queue, Clock::System)
}

fn recompute(config: &Config) -> Recompute {
    let store = Store::new(config.database_url.as_ref().unwrap()).unwrap();
    Recompute::new(queue(config), store, &config.drain, Clock::System)
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn data(project_id: &str) -> JobData {
    JobData {
        project_id: project_id.to_owned(),
        triggered_by_user_id: None,
        reason: Reason::Scheduled,
    }
}

/// A database address at which nobody listens.
fn nowhere() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("postgres://u:p@127.0.0.1:{port}/none")
}

#[tokio::test]
async fn an_empty_tick_costs_one_command_and_leaves_postgres_asleep() {
    let mut world = World::new().await;
    world.set("DATABASE_URL", &nowhere());
    let before = world.executed().await;
    let report = world.tick().await;
    assert_eq!(world.executed().await - before, 1 + 1, "the tick's, and INFO");
    assert_eq!((report.billed_commands, report.round_trips), (1, 1));
    assert_eq!(report.stopped_because, StoppedBecause::Empty);
    assert_eq!(report.remaining, Some(Remaining::default()));
}

#[tokio::test]
async fn a_disabled_tick_costs_nothing() {
    let mut world = World::new().await;
    world.numbered(1).await;
    world.enqueue(&["p0000".to_owned()]).await;
    world.set("ENABLE_QUEUE_PROCESSORS", "false");
    let before = world.executed().await;
    let report = world.tick().await;
    assert_eq!(world.executed().await - before, 1, "INFO alone");
    assert_eq!(report.stopped_because, StoppedBecause::Disabled);
    assert_eq!(report.billed_commands, 0);
}

#[tokio::test]
async fn future_delayed_jobs_cost_four_commands_at_most() {
    let mut world = World::new().await;
    world.set("DATABASE_URL", &nowhere());
    let opts = JobOptions { delay_ms: 600_000, ..JobOptions::default() };
    let job = NewJob { opts, ..recompute_job(&data("p"), world.queue.config()) };
    world.queue.enqueue(&[job]).await.unwrap();
    let before = world.executed().await;
    let report = world.tick().await;
    assert!(world.executed().await - before - 1 <= 4);
    assert_eq!(report.remaining.unwrap().delayed, 1);
    assert_eq!(report.stopped_because, StoppedBecause::Empty);
}

#[tokio::test]
async fn old_snapshots_of_scored_projects_go_when_asked_to() {
    let mut world = World::new().await;
    let projects = world.numbered(3).await;
    for (kept, left) in [("all", 2), ("newest:1", 1)] {
        world.set("SNAPSHOT_RETENTION", kept);
        for _ in 0..2 {
            world.enqueue(&projects[..2]).await;
            assert_eq!(world.tick().await.completed, 2);
        }
        let snapshots = world.snapshots().await;
        assert!(projects[..2].iter().all(|id| snapshots[id] == left), "{kept}: {snapshots:?}");
    }
}

#[tokio::test]
async fn jobs_of_one_project_share_its_score_and_have_a_row_each() {
    let world = World::new().await;
    let projects = world.numbered(2).await;
    let plain = |id: &String| NewJob {
        opts: JobOptions::default(),
        ..recompute_job(&data(id), world.queue.config())
    };
    let jobs = [plain(&projects[0]), plain(&projects[0]), plain(&projects[1])];
    let added = world.queue.enqueue(&jobs).await.unwrap();
    let report = world.tick().await;
    assert_eq!((report.completed, report.coalesced, report.batches), (3, 1, 1));
    assert_eq!(
        world.snapshots().await,
        HashMap::from([("p0000".to_owned(), 2), ("p0001".to_owned(), 1)])
    );
    for job in added {
        let view = world.queue.job(&job.id).await.unwrap().unwrap();
        let value: serde_json::Value = serde_json::from_str(&view.fields["returnvalue"]).unwrap();
        let id = value["snapshotId"].as_str().unwrap();
        let found = world
            .database
            .query_one(
                r#"SELECT "projectId", "overallScore" FROM "DeoScoreSnapshot" WHERE id = $1"#,
                &[&id],
            )
            .await
            .unwrap();
        assert_eq!(found.get::<_, &str>(0), value["projectId"].as_str().unwrap());
        assert_eq!(found.get::<_, i32>(1), 9, "the score of a project without rows");
    }
    let current = world
        .database
        .query_one(r#"SELECT count(*) FROM "Project" WHERE "currentDeoScore" = 9"#, &[])
        .await
        .unwrap();
    assert_eq!(current.get::<_, i64>(0), 2);
}

#[tokio::test]
async fn a_bad_job_fails_alone_and_at_once() {
    let world = World::new().await;
    let good = world.numbered(1).await.remove(0);
    let job =
        |data: String| NewJob { data, ..recompute_job(&self::data("x"), world.queue.config()) };
    let undeduplicated = |mut job: NewJob| {
        job.opts.deduplication = None;
        job
    };
    let long = format!(r#"{{"projectId":"{}"}}"#, "x".repeat(192));
    let jobs: Vec<NewJob> = [
        r#"{"projectId":"nobody"}"#.to_owned(),
        r#"{"projectId":7}"#.to_owned(),
        r#"{"projectId":"nul\u0000"}"#.to_owned(),
        "null".to_owned(),
        long,
        format!(r#"{{"projectId":"{good}","pad":"{}"}}"#, "x".repeat(1_000_000)),
        format!(r#"{{"projectId":"{good}"}}"#),
    ]
    .map(job)
    .map(undeduplicated)
    .into();
    let added = world.queue.enqueue(&jobs).await.unwrap();
    // Somebody wrote what is no JSON at all.
    let broken = format!("engineo:deo_score_queue:{}", added[3].id);
    world.queue.redis().call(Command::new("HSET").arg(broken).arg("data").arg("{")).await.unwrap();
    let report = world.tick().await;
    assert_eq!((report.completed, report.failed, report.retried), (2, 5, 0), "{report:?}");
    for (job, reason) in added.iter().zip(["Project not found: nobody", "Malformed job data"]) {
        let view = world.queue.job(&job.id).await.unwrap().unwrap();
        assert!(view.fields["failedReason"].starts_with(reason), "{view:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_down_costs_no_attempt() {
    let mut world = World::new().await;
    let projects = world.numbered(3).await;
    let ids = world.enqueue(&projects).await;
    let real = world.env["DATABASE_URL"].clone();
    world.set("DATABASE_URL", &nowhere());
    let report = world.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Error);
    assert!(report.error.as_ref().is_some_and(|e| !e.contains("u:p")), "{report:?}");
    assert_eq!((report.claimed, report.released), (3, 3));
    assert_eq!(world.counts().await.active, 0);
    for id in &ids {
        assert_eq!(world.queue.job(id).await.unwrap().unwrap().fields.get("atm"), None);
    }
    world.set("DATABASE_URL", &real);
    assert_eq!(world.tick().await.completed, 3);
    assert_eq!(world.snapshots().await.len(), 3);
}

#[tokio::test]
async fn a_batch_that_would_outlast_the_deadline_goes_back() {
    let mut world = World::new().await;
    world.env.insert("DRAIN_MARGIN_MS".to_owned(), "1500".to_owned());
    world.set("DRAIN_TIMEOUT_MS", "2500");
    let projects = world.numbered(5).await;
    world.enqueue(&projects).await;
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    blocker.batch_execute(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot""#).await.unwrap();
    let began = Instant::now();
    let report = world.tick().await;
    assert!(began.elapsed() < Duration::from_millis(2_500));
    assert_eq!(report.stopped_because, StoppedBecause::Deadline);
    assert_eq!((report.claimed, report.released), (5, 5));
    blocker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(world.tick().await.completed, 5);
    assert!(world.snapshots().await.values().all(|n| *n == 1));
}

#[tokio::test]
async fn a_paused_queue_stops_the_tick() {
    let world = World::new().await;
    let projects = world.numbered(1).await;
    world.enqueue(&projects).await;
    let pause = Command::new("HSET").arg("engineo:deo_score_queue:meta").arg("paused").arg("1");
    world.queue.redis().call(pause).await.unwrap();
    let report = world.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Paused);
    assert_eq!(report.remaining.unwrap().prioritized, 1);
    assert!(report.oldest_waiting_ms.is_some());
}

/// Billed commands a job for `n` jobs, from enqueue to completed, everything counted.
async fn cost(world: &World, projects: &[String]) -> f64 {
    let before = world.executed().await;
    world.enqueue(projects).await;
    let report = world.tick().await;
    let spent = world.executed().await - before - 1; // INFO itself
    assert_eq!(report.completed as usize, projects.len());
    spent as f64 / projects.len() as f64
}

#[tokio::test]
async fn commands_stay_within_the_budget() {
    for (events, most) in [(Events::Off, 6.5), (Events::All, 11.0)] {
        let mut world = World::new().await;
        if events == Events::All {
            world.set("ENABLE_QUEUE_EVENTS", "true");
        }
        let projects = world.numbered(1_000).await;
        cost(&world, &projects).await;
        let each = cost(&world, &projects).await;
        println!("events {events:?}: {each:.2} billed commands a job");
        assert!(each <= most, "{each} > {most}");
        assert_eq!(world.counts().await.completed, 1_000);
        let lone = cost(&world, &projects[..1]).await;
        println!("events {events:?}: {lone} billed commands for a lone job");
        assert!(events == Events::All || lone <= 40.0, "{lone} > 40");
    }
}

#[tokio::test]
async fn the_report_counts_what_redis_counts() {
    let world = World::new().await;
    let projects = world.numbered(250).await;
    world.enqueue(&projects).await;
    world.tick().await;
    world.enqueue(&projects).await;
    let before = world.executed().await;
    let report = world.tick().await;
    assert_eq!(world.executed().await - before - 1, report.billed_commands);
    assert_eq!(report.batches, 3);
    // Peek, claim, three settlements (two of which claim the next batch), peek, heartbeat.
    assert_eq!(report.round_trips, 7);
}

#[tokio::test]
async fn five_drains_at_once_do_every_job_once() {
    let world = World::new().await;
    let projects = world.numbered(600).await;
    world.enqueue(&projects).await;
    let ticks: Vec<_> = (0..5)
        .map(|_| {
            let recompute = recompute(&config(&world.env));
            tokio::spawn(
                async move { recompute.tick(Instant::now() + Duration::from_secs(50)).await },
            )
        })
        .collect();
    let mut completed = 0;
    for tick in ticks {
        let report = tick.await.unwrap();
        assert_eq!(report.lost, 0);
        completed += report.completed;
    }
    assert_eq!(completed, 600);
    let snapshots = world.snapshots().await;
    assert_eq!((snapshots.len(), snapshots.values().sum::<i64>()), (600, 600));
}

#[tokio::test]
async fn a_drain_killed_in_the_middle_loses_nothing_and_doubles_nothing() {
    let mut world = World::new().await;
    world.set("QUEUE_BATCH_SIZE", "20");
    let projects = world.numbered(100).await;
    world.enqueue(&projects).await;
    // Held up between reading and saving, with a batch claimed and two behind it.
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    for kill in 0..3 {
        blocker.batch_execute(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot""#).await.unwrap();
        let mut drain = process::Command::new(env!("CARGO_BIN_EXE_deo"))
            .args(["drain", "--json"])
            .env_clear()
            .envs(&world.env)
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
                     (SELECT oid FROM pg_database WHERE datname = current_database())";
        while blocker.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            assert_eq!(drain.try_wait().unwrap(), None, "the drain ended by itself");
        }
        drain.kill().await.unwrap();
        assert!(world.counts().await.active >= 20, "killed in round {kill} with a batch claimed");
        // Half of the time its statement ends with it, half of the time it is committed after it.
        let end = if kill % 2 == 0 { "COMMIT" } else { "ROLLBACK" };
        blocker.batch_execute(end).await.unwrap();
    }
    for _ in 0..2 {
        world.age().await;
        world.tick().await;
    }
    let counts = world.counts().await;
    assert_eq!((counts.completed, counts.failed, counts.active), (100, 0, 0), "{counts:?}");
    let snapshots = world.snapshots().await;
    assert_eq!((snapshots.len(), snapshots.values().sum::<i64>()), (100, 100));
    drop(world.redis);
}
