//! The nightly recompute against a real Redis and a real Postgres: who is enqueued, where it stops,
//! and where it goes on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use cron::{Cron, Report, StoppedBecause};
use local::servers::{PostgresServer, RedisServer};
use shared::clock::Clock;
use shared::config::{Config, Env, Secret};
use shared::queue::{Counts, Queue};
use shared::redis::Redis;
use shared::store::Database;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};

async fn servers() -> &'static (RedisServer, PostgresServer) {
    static SERVERS: OnceCell<(RedisServer, PostgresServer)> = OnceCell::const_new();
    SERVERS
        .get_or_init(|| async {
            (RedisServer::start().await.unwrap(), PostgresServer::start().await.unwrap())
        })
        .await
}

/// A prefix and a database of its own for one test.
struct Night {
    database: Client,
    env: BTreeMap<String, String>,
}

impl Night {
    async fn new(prefix: &str) -> Self {
        let (redis, postgres) = servers().await;
        let url = postgres.create_database().await.unwrap();
        let target = Database::parse(&Secret::new(&url)).unwrap();
        local::migrations::migrate(&target, false).await.unwrap();
        let (database, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let env =
            [("REDIS_URL", redis.url()), ("DATABASE_URL", url), ("REDIS_PREFIX", prefix.into())];
        Self { database, env: env.map(|(name, value)| (name.to_owned(), value)).into() }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// `n` projects, each with the score and the rows that `sql` gives it; `id` is the project's.
    async fn projects(&self, name: &str, n: i32, computed: &str, scanned: &str, synced: &str) {
        let sql = format!(
            r#"INSERT INTO "User" (id, email, password, "updatedAt") VALUES ('u', 'u@example.com', '', now())
                 ON CONFLICT DO NOTHING;
               INSERT INTO "Project" (id, "userId", name, "currentDeoScore", "currentDeoScoreComputedAt")
                 SELECT '{name}' || lpad(i::text, 5, '0'), 'u', i, 50, {computed} FROM generate_series(1, {n}) AS i;
               INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "scannedAt")
                 SELECT 'c' || id, id, '/', 200, '[]', {scanned} FROM "Project" WHERE id LIKE '{name}%' AND {scanned} IS NOT NULL;
               INSERT INTO "Product" (id, "projectId", "externalId", title, "lastSyncedAt")
                 SELECT 'r' || id, id, id, 'a', {synced} FROM "Project" WHERE id LIKE '{name}%' AND {synced} IS NOT NULL;"#
        );
        self.database.batch_execute(&sql).await.unwrap();
    }

    async fn tick(&self) -> Report {
        self.tick_for(Duration::from_secs(60)).await
    }

    async fn tick_for(&self, time: Duration) -> Report {
        let config = Config::from_env(&self.env as &dyn Env).unwrap();
        Cron::new(&config).unwrap().tick(Instant::now() + time).await
    }

    fn queue(&self) -> Queue {
        let config = Config::from_env(&self.env as &dyn Env).unwrap();
        Queue::new(
            Redis::new(config.redis.as_ref().unwrap()).unwrap(),
            &config.queue,
            Clock::System,
        )
    }

    async fn counts(&self) -> Counts {
        self.queue().counts().await.unwrap()
    }
}

const NOW: &str = "now() AT TIME ZONE 'UTC'";

fn ago(time: &str) -> String {
    format!("({NOW} - interval '{time}')")
}

#[tokio::test]
async fn by_default_only_stale_projects_are_enqueued() {
    let night = Night::new("stale").await;
    let (hour, day, week) = (ago("1 hour"), ago("1 day"), ago("8 days"));
    night.projects("fresh", 2, &hour, &day, &day).await;
    night.projects("never", 3, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.projects("crawled", 4, &day, &hour, "NULL::timestamp").await;
    night.projects("synced", 5, &day, "NULL::timestamp", &hour).await;
    night.projects("old", 6, &week, "NULL::timestamp", "NULL::timestamp").await;
    let report = night.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Done, "{report:?}");
    assert_eq!((report.projects, report.enqueued), (3 + 4 + 5 + 6, 3 + 4 + 5 + 6));
    assert_eq!(night.counts().await.prioritized, 18);
}

#[tokio::test]
async fn the_age_and_the_scope_are_settings() {
    let mut night = Night::new("settings").await;
    night.projects("p", 3, &ago("2 days"), "NULL::timestamp", "NULL::timestamp").await;
    assert_eq!(night.tick().await.enqueued, 0);
    night.set("CRON_MAX_AGE_DAYS", "1");
    assert_eq!(night.tick().await.enqueued, 3);
    night.set("CRON_SCOPE", "all");
    let again = night.tick().await;
    assert_eq!((again.enqueued, again.deduplicated), (0, 3));
    night.set("ENABLE_CRON", "false");
    let off = night.tick().await;
    assert_eq!((off.stopped_because, off.billed_commands), (StoppedBecause::Disabled, 0));
}

#[tokio::test]
async fn it_stops_at_the_high_water_mark_and_goes_on_from_there() {
    let mut night = Night::new("high-water").await;
    night.projects("p", 1_200, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.set("CRON_MAX_WAITING", "700");
    let first = night.tick().await;
    assert_eq!((first.stopped_because, first.enqueued), (StoppedBecause::HighWater, 700));
    let held = night.tick().await;
    assert_eq!((held.stopped_because, held.enqueued), (StoppedBecause::HighWater, 0));
    // The drain makes room.
    let queue = night.queue();
    let claim = queue.claim(shared::queue::ClaimRequest::everywhere(650)).await.unwrap();
    assert_eq!(claim.jobs.len(), 650);
    let second = night.tick().await;
    assert_eq!((second.stopped_because, second.enqueued), (StoppedBecause::Done, 500));
    // No project was walked over and none came twice, though none has a score yet.
    assert_eq!((second.projects, second.deduplicated), (500, 0));
}

#[tokio::test]
async fn it_stops_before_its_deadline_and_keeps_its_place() {
    let night = Night::new("deadline").await;
    night.projects("p", 10, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    let late = night.tick_for(Duration::from_secs(1)).await;
    assert_eq!((late.stopped_because, late.enqueued), (StoppedBecause::Deadline, 0));
    assert_eq!(night.tick().await.enqueued, 10);
}

#[tokio::test]
async fn a_database_that_is_down_is_an_error_that_names_no_secret() {
    let mut night = Night::new("down").await;
    night.set("DATABASE_URL", "postgres://u:secret@127.0.0.1:1/none");
    let report = night.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Error);
    assert!(!report.error.unwrap().contains("secret"));
}

#[tokio::test]
async fn a_night_wakes_the_drain_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (tell, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async move || tell.send(()).unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    let mut night = Night::new("wake").await;
    night.projects("p", 1_200, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.set("DRAIN_WAKE_URL", &url);
    let report = night.tick().await;
    assert_eq!((report.pages, report.enqueued), (3, 1_200));
    asked.try_recv().expect("a wake-up before the tick ends");
    assert!(asked.try_recv().is_err(), "two wake-ups");
    night.set("CRON_SCOPE", "all");
    assert_eq!(night.tick().await.deduplicated, 1_200);
    assert!(asked.try_recv().is_err(), "nothing new waits");
}
