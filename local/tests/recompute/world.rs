//! A Redis and a database of its own for each test, and what it asks of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use local::servers::{PostgresServer, RedisServer};
use shared::clock::Clock;
use shared::config::{Config, Env, Secret};
use shared::engine::{Report, Ticker};
use shared::queue::{Counts, NewJob, Queue};
use shared::recompute::{JobData, Reason, recompute_job, ticker};
use shared::redis::{Command, Redis, Value};
use shared::store::{Database, Store};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

async fn postgres() -> &'static PostgresServer {
    static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { PostgresServer::start().await.unwrap() }).await
}

/// A Redis and a database of its own for one test.
pub(super) struct World {
    pub(super) redis: RedisServer,
    pub(super) database: Client,
    pub(super) env: BTreeMap<String, String>,
    pub(super) queue: Queue,
}

impl World {
    pub(super) async fn new() -> Self {
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

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
        self.queue = queue(&config(&self.env));
    }

    pub(super) async fn projects(&self, ids: impl IntoIterator<Item = String>) -> Vec<String> {
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

    pub(super) async fn numbered(&self, n: usize) -> Vec<String> {
        self.projects((0..n).map(|i| format!("p{i:04}"))).await
    }

    pub(super) async fn enqueue(&self, projects: &[String]) -> Vec<String> {
        let jobs: Vec<NewJob> =
            projects.iter().map(|id| recompute_job(&data(id), self.queue.options())).collect();
        self.queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect()
    }

    pub(super) async fn tick(&self) -> Report {
        recompute(&config(&self.env)).tick(Instant::now() + Duration::from_secs(50)).await
    }

    /// What its Redis answers.
    pub(super) async fn call(&self, command: Command) -> Value {
        self.queue.redis().call(command).await.unwrap()
    }

    pub(super) async fn counts(&self) -> Counts {
        self.queue.counts().await.unwrap()
    }

    /// Snapshots of every project that has any.
    pub(super) async fn snapshots(&self) -> HashMap<String, i64> {
        let rows = self
            .database
            .query(r#"SELECT "projectId", count(*) FROM "DeoScoreSnapshot" GROUP BY 1"#, &[])
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Statements that wait for another's lock in this world's database.
    pub(super) async fn held_up(&self) -> i64 {
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
                     (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.database.query_one(waits, &[]).await.unwrap().get(0)
    }

    /// Commands that Redis has executed, those inside scripts included.
    pub(super) async fn executed(&self) -> u64 {
        let info = self.call(Command::new("INFO").arg("commandstats")).await;
        let calls =
            info.as_str().unwrap().lines().filter_map(|line| {
                line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok()
            });
        calls.sum()
    }

    /// Makes the locks of dead owners run out, and lets the next recovery pass happen at once.
    pub(super) async fn age(&self) {
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

pub(super) fn config(env: &BTreeMap<String, String>) -> Config {
    Config::from_env(env as &dyn Env).unwrap()
}

pub(super) fn queue(config: &Config) -> Queue {
    let redis = Redis::new(config.redis.as_ref().unwrap()).unwrap();
    Queue::new(redis, &config.queue, Clock::System)
}

pub(super) fn recompute(config: &Config) -> Ticker {
    let store = Store::new(config.database_url.as_ref().unwrap()).unwrap();
    ticker(queue(config), store, &config.drain, Clock::System)
}

pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(super) fn data(project_id: &str) -> JobData {
    JobData {
        project_id: project_id.to_owned(),
        triggered_by_user_id: None,
        reason: Reason::Scheduled,
    }
}

/// A database address at which nobody listens.
pub(super) fn nowhere() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("postgres://u:p@127.0.0.1:{port}/none")
}
