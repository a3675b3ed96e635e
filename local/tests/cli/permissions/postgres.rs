//! Roles of Postgres.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use fixture::World;
use local::permissions::Function;
use local::permissions::postgres::{grants, statements};

use tokio::net::TcpListener;

use super::{Asked, SECRET, api, night, tick};

const ROWS: &str = r#"
    ALTER TABLE "CrawlResult" ADD COLUMN "internalLinkCount" integer;
    CREATE TABLE "ProjectMember" ("projectId" text, "userId" text, role text);
    INSERT INTO "ProjectMember" VALUES ('p1', 'viewer', 'VIEWER'), ('p1', 'editor', 'EDITOR');
    INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", title, issues)
        VALUES ('c1', 'p1', '/', 200, 'A shop', '[]');
    INSERT INTO "Product" (id, "projectId", "externalId", title, description)
        VALUES ('d1', 'p1', '', 'A chair', 'Four legs')"#;

const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The address of a server that takes every event.
async fn receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(async || ()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// An event that is due, one that nobody took within a day, and one that has been over for long.
const EVENTS: &str = "DELETE FROM deo.score_drop;
    INSERT INTO deo.score_drop (platform, snapshot_id, project_id, from_score, to_score, read_at, created_at, due_at, ended_at)
    SELECT 'public', id, 'p1', 9, 8, at, at, at + tried_for, ended_at FROM (VALUES
        ('due', now() AT TIME ZONE 'UTC', interval '0', NULL),
        ('old', now() AT TIME ZONE 'UTC' - interval '2 days', interval '25 hours', NULL),
        ('over', now() AT TIME ZONE 'UTC' - interval '20 days', interval '0', now() AT TIME ZONE 'UTC' - interval '10 days')
    ) AS e (id, at, tried_for, ended_at)";

/// Whether each of [`EVENTS`] went its way.
async fn are_told(world: &World) -> bool {
    let ends = "SELECT string_agg(format('%s %s', snapshot_id, outcome), ', ' ORDER BY snapshot_id)
        FROM deo.score_drop WHERE snapshot_id IN ('due', 'old', 'over')";
    let ends: Option<String> = world.database.query_one(ends, &[]).await.unwrap().get(0);
    ends.as_deref() == Some("due delivered, old given up")
}

/// A world whose functions have the role of one of them.
async fn world(function: Function) -> (World, BTreeMap<String, String>) {
    let people = format!("{};{ROWS}", fixture::PEOPLE);
    let world = World::builder().redis().database(&people).set("JWT_SECRET", SECRET);
    let world = world.set("SNAPSHOT_RETENTION", "newest:1").set("DROP_EVENTS_POINTS", "1");
    let world = world.set("DROP_EVENTS_URL", &receiver().await).set("DROP_EVENTS_SECRET", WEBHOOK);
    let world = world.start().await;
    let role = statements(function).replace("'PASSWORD'", "'x'");
    world.database.batch_execute(&role).await.unwrap();
    let (_, place) = world.env["DATABASE_URL"].split_once('@').unwrap();
    let mut env = world.env.clone();
    env.insert("DATABASE_URL".to_owned(), format!("postgres://deo_{function}:x@{place}"));
    (world, env)
}

/// Everything that the API asks of Postgres; whether all of it went well.
async fn all_of_the_api(env: &BTreeMap<String, String>) -> bool {
    let api = api(env);
    let read = "/projects/p1/deo-score";
    let mut well = true;
    for (user, method, path, status) in [
        ("owner", "GET", read, 200),
        ("viewer", "GET", read, 200),
        ("editor", "POST", "/projects/p1/deo-score/recompute", 201),
        ("owner", "POST", "/projects/p1/deo-score/recompute-sync", 201),
        ("owner", "POST", "/projects/p1/deo-score/recompute-sync", 201),
        ("owner", "GET", "/projects/p1/deo-score/history?limit=1", 200),
        ("owner", "GET", "/projects/p1/deo-score/history?format=csv", 200),
        ("owner", "GET", "/projects/p1/deo-score/series", 200),
        // There is one snapshot, since an older one of today goes.
        ("owner", "GET", "/projects/p1/deo-score/compare", 404),
        ("admin", "GET", "/fleet", 200),
        ("admin", "GET", "/fleet/movers", 200),
        ("admin", "GET", "/fleet/never-scored", 200),
        ("admin", "GET", "/fleet/stale", 200),
        ("admin", "GET", "/fleet/failing", 200),
        ("owner", "GET", "/projects/p1/deo-signals/debug", 200),
        ("other", "GET", read, 403),
        ("admin", "GET", "/queue", 200),
        ("owner", "GET", "/health?deep=1", 200),
    ] {
        well &= Asked::new(user, method, path).of(&api).await.0 == status;
    }
    let mut many = Asked::new("owner", "POST", "/deo-score/recompute");
    many.body = r#"{"projectIds":["p1","p2","q1"]}"#.to_owned();
    well && many.of(&api).await.0 == 202
}

/// Everything that the drain asks of Postgres, also of a project that somebody has locked.
async fn all_of_the_drain(world: &World, env: &BTreeMap<String, String>) -> bool {
    let projects = ["p1", "p2"].map(str::to_owned);
    world.enqueue(&projects).await;
    let report = tick(env).await;
    let well = report.completed == 2 && report.error.is_none();
    // Nothing is left for the next one.
    let active = world.counts().await.active;
    if !well {
        world.age().await;
        tick(&world.env).await;
        world.age().await;
        tick(&world.env).await;
    }
    well && active == 0
}

async fn all_of_cron(env: &BTreeMap<String, String>) -> bool {
    let mut all = env.clone();
    all.insert("CRON_SCOPE".to_owned(), "all".to_owned());
    let (stale, all) =
        (night(env, Duration::from_secs(20)).await, night(&all, Duration::from_secs(20)).await);
    stale.error.is_none() && all.error.is_none()
}

async fn all_of(function: Function, world: &World, env: &BTreeMap<String, String>) -> bool {
    world.database.batch_execute(EVENTS).await.unwrap();
    let well = all_but_events_of(function, world, env).await;
    well && (function == Function::Api || are_told(world).await)
}

async fn all_but_events_of(
    function: Function,
    world: &World,
    env: &BTreeMap<String, String>,
) -> bool {
    match function {
        Function::Api => {
            // One more snapshot than stays.
            all_of_the_api(env).await && snapshots(world).await == 1
        }
        Function::Drain | Function::Worker => {
            let well = all_of_the_drain(world, env).await && all_of_the_drain(world, env).await;
            well && snapshots(world).await == 2
        }
        Function::Cron => all_of_cron(env).await,
    }
}

async fn snapshots(world: &World) -> i64 {
    let count = r#"SELECT count(*) FROM "DeoScoreSnapshot""#;
    world.database.query_one(count, &[]).await.unwrap().get(0)
}

/// With exactly its grants a function works, and without any one column of them it does not.
async fn hold(function: Function) {
    let (world, env) = world(function).await;
    assert!(all_of(function, &world, &env).await, "{function}: its grants are not enough");
    let role = format!("deo_{function}");
    let mut superfluous = Vec::new();
    for part in grants(function).into_iter().flat_map(|grant| grant.parts()) {
        world.database.batch_execute(&part.from(&role)).await.unwrap();
        if all_of(function, &world, &env).await {
            superfluous.push(part);
        }
        world.database.batch_execute(&part.to(&role)).await.unwrap();
    }
    assert!(superfluous.is_empty(), "{function}: {superfluous:#?}");
    assert!(all_of(function, &world, &env).await);
}

#[tokio::test]
async fn the_api_works_with_its_grants_and_without_none_of_them() {
    hold(Function::Api).await;
}

#[tokio::test]
async fn the_drain_works_with_its_grants_and_without_none_of_them() {
    hold(Function::Drain).await;
}

#[tokio::test]
async fn cron_works_with_its_grants_and_without_none_of_them() {
    hold(Function::Cron).await;
}
