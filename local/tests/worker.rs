//! `deo worker` as a process: it wakes at once, keeps time, ends gracefully, comes back, and costs little.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use local::gateway::{Gateway, GatewayConfig};
use local::servers::{PostgresServer, RedisServer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use shared::clock::Clock;
use shared::config::{Config, Secret, VARIABLES};
use shared::queue::{Counts, JobOptions, NewJob, Queue};
use shared::recompute::{JobData, Reason, recompute_job};
use shared::redis::{Command, Redis};
use shared::store::Database;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client, NoTls};

const LONG: Duration = Duration::from_secs(30);

/// What BullMQ looks for: the prefix and, in base64, `deo_score_queue`.
const NAME: &str = " name=engineo:ZGVvX3Njb3JlX3F1ZXVl ";

async fn postgres() -> &'static PostgresServer {
    static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { PostgresServer::start().await.unwrap() }).await
}

/// A Redis and a database with 300 projects, `p1` to `p300`.
struct World {
    redis: RedisServer,
    database: Client,
    env: BTreeMap<String, String>,
    queue: Queue,
}

impl World {
    async fn start() -> Self {
        let redis = RedisServer::start().await.unwrap();
        let url = postgres().await.create_database().await.unwrap();
        let target = Database::parse(&Secret::new(&url)).unwrap();
        local::migrations::migrate(&target, false).await.unwrap();
        let (database, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let rows = r#"INSERT INTO "User" (id, email, password, "updatedAt") VALUES ('u', 'u@example.com', '', now());
            INSERT INTO "Project" (id, "userId", name) SELECT 'p' || i, 'u', 'P' FROM generate_series(1, 300) AS i"#;
        database.batch_execute(rows).await.unwrap();
        let env = BTreeMap::from([
            ("REDIS_URL".to_owned(), redis.url()),
            ("DATABASE_URL".to_owned(), url),
            ("QUEUE_BATCH_SIZE".to_owned(), "50".to_owned()),
        ]);
        let config = Config::from_env(&env).unwrap();
        let client = Redis::new(config.redis.as_ref().unwrap()).unwrap();
        let queue = Queue::new(client, &config.queue, Clock::System);
        Self { redis, database, env, queue }
    }

    fn job(&self, project: u32, delay_ms: u64) -> NewJob {
        let project_id = format!("p{project}");
        let data = JobData { project_id, triggered_by_user_id: None, reason: Reason::Manual };
        let job = recompute_job(&data, self.queue.config());
        NewJob { opts: JobOptions { delay_ms, ..job.opts }, ..job }
    }

    async fn add(&self, project: u32, delay_ms: u64) -> String {
        let jobs = [self.job(project, delay_ms)];
        self.queue.enqueue(&jobs).await.unwrap().remove(0).id
    }

    async fn add_all(&self) {
        let jobs: Vec<NewJob> = (1..=300).map(|project| self.job(project, 0)).collect();
        self.queue.enqueue(&jobs).await.unwrap();
    }

    async fn counts(&self) -> Counts {
        self.queue.counts().await.unwrap()
    }

    /// Until `enough` of the counts.
    async fn until(&self, enough: impl Fn(Counts) -> bool) {
        let reached = async {
            while !enough(self.counts().await) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(LONG, reached).await.is_err() {
            panic!("still {:?}", self.counts().await);
        }
    }

    /// Milliseconds between when a job could begin and when it did.
    async fn late(&self, id: &str) -> i64 {
        let fields = self.queue.job(id).await.unwrap().unwrap().fields;
        let number = |name: &str| fields[name].parse::<i64>().unwrap();
        let opts: Value = serde_json::from_str(&fields["opts"]).unwrap();
        number("processedOn") - number("timestamp") - opts["delay"].as_i64().unwrap_or(0)
    }

    async fn snapshots(&self) -> (i64, i64) {
        let sql = r#"SELECT count(*), count(DISTINCT "projectId") FROM "DeoScoreSnapshot""#;
        let row = self.database.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    }

    async fn connections(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'deo'";
        self.database.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// The process.
struct Worker {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    async fn start(world: &World, arguments: &[&str]) -> Self {
        let mut worker = Self::begin(&world.env, arguments);
        let first = worker.line().await;
        assert!(first.starts_with("working"), "{first}");
        worker
    }

    fn begin(env: &BTreeMap<String, String>, arguments: &[&str]) -> Self {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_deo"));
        for variable in VARIABLES {
            command.env_remove(variable.name);
        }
        command.args(["worker", "--json"]).args(arguments).envs(env).kill_on_drop(true);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    async fn line(&mut self) -> String {
        timeout(LONG, self.lines.next_line()).await.unwrap().unwrap().unwrap()
    }

    fn terminate(&self) {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
    }

    async fn ended(&mut self) -> ExitStatus {
        timeout(LONG, self.process.wait()).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn it_wakes_at_once_and_is_on_time_for_delayed_jobs() {
    let world = World::start().await;
    let worker = Worker::start(&world, &[]).await;
    // Not while it starts, but while it sleeps.
    asleep(&world).await;
    let mut waits = Vec::new();
    for project in 1..=5 {
        let id = world.add(project, 0).await;
        world.until(|counts| counts.completed == u64::from(project)).await;
        waits.push(world.late(&id).await);
        asleep(&world).await;
    }
    // Each sooner than the one before it.
    world.add(10, 600_000).await;
    let delayed = [world.add(11, 701).await, world.add(12, 700).await];
    world.until(|counts| counts.completed == 7).await;
    let mut lates = Vec::new();
    for id in &delayed {
        lates.push(world.late(id).await);
    }
    println!("waited {waits:?} ms; delayed jobs late by {lates:?} ms");
    waits.sort_unstable();
    // A look every so often would take half a minute. The median, since other tests run beside this one.
    assert!(waits[2] < 500, "{waits:?}");
    assert!(lates.iter().all(|late| (0..5_000).contains(late)), "{lates:?}");
    drop(worker);
}

#[tokio::test]
async fn ids_without_jobs_do_not_keep_it_from_the_job_that_it_was_woken_for() {
    let mut world = World::start().await;
    world.env.insert("QUEUE_BATCH_SIZE".to_owned(), "1".to_owned());
    // Too seldom for the job to be found by looking.
    let worker = Worker::start(&world, &["--every", "600s"]).await;
    asleep(&world).await;
    let ghosts = Command::new("RPUSH").arg("engineo:deo_score_queue:wait").arg("a").arg("b");
    world.queue.redis().call(ghosts).await.unwrap();
    let job = world.job(1, 0);
    let behind = NewJob { opts: JobOptions { priority: 1, ..job.opts }, ..job };
    world.queue.enqueue(&[behind]).await.unwrap();
    world.until(|counts| counts.completed == 1).await;
    drop(worker);
}

/// Until a client blocks on the marker: what the list of clients says of it.
async fn asleep(world: &World) -> String {
    listed(world, |line| line.contains("cmd=bzpopmin") && line.contains("flags=b")).await
}

/// Until the list of clients has such a line.
async fn listed(world: &World, such: impl Fn(&str) -> bool) -> String {
    let found = async {
        loop {
            let list = world.queue.redis().call(Command::new("CLIENT").arg("LIST")).await.unwrap();
            if let Some(line) = list.as_str().unwrap().lines().find(|line| such(line)) {
                return line.to_owned();
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, found).await.expect("such a client")
}

/// A worker with its first batch of 50 under way, and who holds that up: to be told `ROLLBACK`.
async fn halfway(world: &World) -> (Worker, Client) {
    world.add_all().await;
    let (blocker, connection) =
        tokio_postgres::connect(&world.env["DATABASE_URL"], NoTls).await.unwrap();
    tokio::spawn(connection);
    blocker.batch_execute(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot""#).await.unwrap();
    let worker = Worker::begin(&world.env, &[]);
    world.until(|counts| counts.active == 50).await;
    (worker, blocker)
}

#[tokio::test]
async fn at_sigterm_it_finishes_its_batch_and_leaves_the_rest() {
    let world = World::start().await;
    let (mut worker, blocker) = halfway(&world).await;
    worker.terminate();
    // So that it has heard of that when its batch ends.
    sleep(Duration::from_secs(2)).await;
    // The batch under way goes on, and no other begins.
    blocker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(worker.ended().await.code(), Some(0));
    let counts = world.counts().await;
    assert_eq!((counts.completed, counts.active, counts.wait), (50, 0, 250), "{counts:?}");
    assert_eq!(world.snapshots().await, (50, 50));
    // A marker is left for the next worker.
    let marker = Command::new("ZCARD").arg("engineo:deo_score_queue:marker");
    assert_eq!(world.queue.redis().call(marker).await.unwrap().as_int(), Some(1));

    let next = Worker::start(&world, &[]).await;
    world.until(|counts| counts.completed == 300).await;
    assert_eq!(world.snapshots().await, (300, 300));
    drop(next);
}

#[tokio::test]
async fn at_sigterm_a_batch_that_hangs_goes_back() {
    let world = World::start().await;
    let (mut worker, blocker) = halfway(&world).await;
    let begun = Instant::now();
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let counts = world.counts().await;
    assert_eq!((counts.wait, counts.active, counts.completed), (300, 0, 0), "{counts:?}");
    blocker.batch_execute("ROLLBACK").await.unwrap();
    // No attempt was counted, and the same jobs can be done.
    let next = Worker::start(&world, &[]).await;
    world.until(|counts| counts.completed == 300).await;
    let job = world.queue.job("1").await.unwrap().unwrap();
    assert_eq!(job.fields["atm"], "1");
    assert_eq!(world.snapshots().await, (300, 300));
    drop(next);
}

#[tokio::test]
async fn at_sigterm_a_sleeper_leaves_the_marker_of_a_delayed_job() {
    let world = World::start().await;
    let mut worker = Worker::start(&world, &[]).await;
    asleep(&world).await;
    world.add(1, 600_000).await;
    // The marker wakes it, to sleep until the job falls due.
    let marker =
        || world.queue.redis().call(Command::new("ZCARD").arg("engineo:deo_score_queue:marker"));
    let taken = async { while marker().await.unwrap().as_int() != Some(0) {} };
    timeout(LONG, taken).await.expect("a marker that was taken");
    asleep(&world).await;
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
    assert_eq!(marker().await.unwrap().as_int(), Some(1));
}

#[tokio::test]
async fn a_limit_holds_it_back_for_as_long_as_it_lasts() {
    let mut world = World::start().await;
    world.env.insert("QUEUE_LIMITER_MAX".to_owned(), "60".to_owned());
    world.env.insert("QUEUE_LIMITER_DURATION_MS".to_owned(), "300".to_owned());
    world.add_all().await;
    let begun = Instant::now();
    let worker = Worker::start(&world, &[]).await;
    world.until(|counts| counts.completed == 300).await;
    let took = begun.elapsed();
    // Four waits of 0.3 s; nobody tells of a limit's end, and a guess would take seconds each time.
    assert!(took > Duration::from_millis(1_200) && took < Duration::from_secs(15), "{took:?}");
    drop(worker);
}

#[tokio::test]
async fn it_comes_back_when_redis_does() {
    let mut world = World::start().await;
    let worker = Worker::start(&world, &[]).await;
    asleep(&world).await;
    world.redis.kill();
    world.redis.restart().await.unwrap();
    let again = asleep(&world).await;
    assert!(again.contains(NAME), "{again}");
    world.add(1, 0).await;
    world.until(|counts| counts.completed == 1).await;
    drop(worker);
}

#[tokio::test]
async fn it_is_listed_before_its_first_sleep() {
    let world = World::start().await;
    let (worker, blocker) = halfway(&world).await;
    listed(&world, |line| line.contains(NAME)).await;
    blocker.batch_execute("ROLLBACK").await.unwrap();
    drop(worker);
}

#[tokio::test]
async fn while_idle_it_costs_two_commands_a_look_and_no_connection_to_postgres() {
    let world = World::start().await;
    let worker = Worker::start(&world, &["--every", "1s"]).await;
    world.add(1, 0).await;
    world.until(|counts| counts.completed == 1).await;
    assert!(world.connections().await > 0);
    let closed = async {
        while world.connections().await > 0 {
            sleep(Duration::from_millis(50)).await
        }
    };
    // The looks of each second do not keep it open: nothing asks the database.
    timeout(LONG, closed).await.expect("the connection to be closed");

    let before = executed(&world).await;
    sleep(Duration::from_secs(5)).await;
    let after = executed(&world).await;
    let spent = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
    let all: u64 = after.keys().map(|name| spent(name)).sum::<u64>() - spent("info");
    println!("idle for 5 s, looking each second: {all} commands");
    assert_eq!(all, spent("bzpopmin") + spent("exists"), "{before:?} {after:?}");
    assert!((4..=12).contains(&all), "{all}");
    drop(worker);
}

/// How often Redis has executed each command.
async fn executed(world: &World) -> BTreeMap<String, u64> {
    let info = world.queue.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
    let calls = info.as_str().unwrap().lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    });
    calls.collect()
}

#[tokio::test]
async fn over_rest_it_looks_every_so_often_and_says_so() {
    let world = World::start().await;
    let gateway = Gateway::start(GatewayConfig::new(world.redis.url(), "token")).await.unwrap();
    let mut env = world.env.clone();
    env.remove("REDIS_URL");
    env.insert("UPSTASH_REDIS_REST_URL".to_owned(), gateway.url());
    env.insert("UPSTASH_REDIS_REST_TOKEN".to_owned(), "token".to_owned());
    let mut worker = Worker::begin(&env, &["--every", "1s"]);
    let first = worker.line().await;
    assert!(first.contains("REST cannot wait for jobs") && first.contains("every 1 s"), "{first}");
    world.add(1, 0).await;
    let report: Value = serde_json::from_str(&worker.line().await).unwrap();
    assert_eq!(report["completed"], 1, "{report}");
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
}

#[tokio::test]
async fn it_takes_over_the_jobs_of_a_worker_that_died() {
    let world = World::start().await;
    let (mut dead, blocker) = halfway(&world).await;
    dead.process.kill().await.unwrap();
    blocker.batch_execute("ROLLBACK").await.unwrap();

    let queue = &world.queue;
    // Its locks run out at once, and so does the time between two checks for stalled jobs (30 s).
    let command = |name: &'static str, key: &str| queue.redis().call(Command::new(name).arg(key));
    let locks = command("KEYS", "engineo:deo_score_queue:*:lock").await.unwrap();
    for lock in locks.as_array().unwrap() {
        command("DEL", lock.as_str().unwrap()).await.unwrap();
    }
    let next = Worker::start(&world, &["--every", "1s"]).await;
    let recovered = async {
        while queue.counts().await.unwrap().completed < 300 {
            command("DEL", "engineo:deo_score_queue:stalled-check").await.unwrap();
            sleep(Duration::from_millis(500)).await;
        }
    };
    timeout(LONG, recovered).await.expect("all jobs completed");
    assert_eq!(world.snapshots().await, (300, 300));
    assert_eq!(queue.job("1").await.unwrap().unwrap().fields["stc"], "1");
    drop(next);
}
