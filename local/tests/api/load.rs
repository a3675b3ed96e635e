//! 200 requests at the same time, against a database with the limits of a small Neon.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use api::{Api, router};
use fixture::pooler::Pooler;
use fixture::{config, connect};
use lambda_http::tower::ServiceExt as _;
use shared::config::Config;
use tokio::task::JoinSet;

use crate::world::{World, token};

/// At once.
const REQUESTS: usize = 200;

/// Of a compute of 0.25 CU, but for those that are Neon's own.
const CONNECTIONS: usize = 104;

/// Nine tenths of its connections, as Neon's pooled host has.
const POOLED: usize = 100;

/// What is asked of the `n`th project, by its owner.
fn request(n: usize) -> axum::http::Request<axum::body::Body> {
    let (method, path, body) = match n % 6 {
        0 => ("GET", format!("/projects/n{n}/deo-score"), String::new()),
        1 => ("GET", format!("/projects/n{n}/deo-score/history"), String::new()),
        2 => ("GET", format!("/projects/n{n}/deo-signals/debug"), String::new()),
        3 => ("POST", format!("/projects/n{n}/deo-score/recompute"), String::new()),
        4 => ("POST", format!("/projects/n{n}/deo-score/recompute-sync"), String::new()),
        _ => ("POST", "/deo-score/recompute".to_owned(), format!(r#"{{"projectIds":["n{n}"]}}"#)),
    };
    axum::http::Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", token("owner")))
        .body(body.into())
        .unwrap()
}

/// Sends all requests at once, each to the instance that `api` gives it. How many got which status, and how
/// long the last one took.
async fn storm(api: impl Fn() -> Api) -> (BTreeMap<u16, usize>, Duration) {
    let begun = Instant::now();
    let mut all = JoinSet::new();
    for n in 0..REQUESTS {
        let answer = router(api()).oneshot(request(n));
        all.spawn(async move { answer.await.unwrap().status().as_u16() });
    }
    let mut statuses = BTreeMap::new();
    for status in all.join_all().await {
        *statuses.entry(status).or_default() += 1;
    }
    (statuses, begun.elapsed())
}

async fn world() -> World {
    let world = World::start().await;
    let rows = format!(
        r#"INSERT INTO "Project" (id, "userId", name)
            SELECT 'n' || n, 'owner', '' FROM generate_series(0, {REQUESTS}) AS n;
        INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", title, issues)
            SELECT id || '-' || n, id, '/', 200, 'A shop', '[]' FROM "Project", generate_series(1, 30) AS n;
        INSERT INTO "Product" (id, "projectId", "externalId", title, description)
            SELECT id || '-' || n, id, '', 'A chair', 'Four legs' FROM "Project", generate_series(1, 20) AS n"#
    );
    world.database.batch_execute(&rows).await.unwrap();
    world
}

fn through(world: &World, url: &str) -> Config {
    let mut env = world.env.clone();
    env.insert("DATABASE_URL".to_owned(), url.to_owned());
    config(&env)
}

#[track_caller]
fn hold(what: &str, (statuses, time): (BTreeMap<u16, usize>, Duration), refused: bool) {
    eprintln!("{REQUESTS} requests at once, {what}: {statuses:?} in {time:?}");
    assert_eq!(statuses.values().sum::<usize>(), REQUESTS);
    for status in statuses.keys() {
        assert!(
            (200..300).contains(status) || refused && matches!(status, 429 | 503),
            "{statuses:?}"
        );
    }
    // The envelope's limit, and some for a machine that does other things as well.
    assert!(time < Duration::from_secs(30), "{time:?}");
}

/// As on Lambda: each request has an instance with a connection of its own.
#[tokio::test]
async fn two_hundred_instances_share_a_pooler_s_connections() {
    if !Pooler::is_here() {
        return;
    }
    let world = world().await;
    let limits = format!("default_pool_size = {POOLED}\nmax_client_conn = 10000");
    let pooler = Pooler::with(&world.env["DATABASE_URL"], &limits).await;
    let config = through(&world, &pooler.url);
    hold("pooled", storm(|| Api::new(&config).unwrap()).await, false);
    // A pool that is much too small makes them wait, and some of them too long.
    let limits = "default_pool_size = 2\nmax_client_conn = 10000\nquery_wait_timeout = 1";
    let pooler = Pooler::with(&world.env["DATABASE_URL"], limits).await;
    let config = through(&world, &pooler.url);
    hold("pooled, two connections", storm(|| Api::new(&config).unwrap()).await, true);
}

/// Not what the documentation tells to do: those who get no connection are told to come again.
#[tokio::test]
async fn without_a_pooler_those_without_a_connection_are_told_to_come_again() {
    let world = world().await;
    let role = format!(
        r#"DO $$BEGIN CREATE ROLE crowd LOGIN PASSWORD 'x'; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
        ALTER ROLE crowd CONNECTION LIMIT {CONNECTIONS};
        GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO crowd"#
    );
    world.database.batch_execute(&role).await.unwrap();
    let (_, place) = world.env["DATABASE_URL"].split_once('@').unwrap();
    let url = format!("postgres://crowd:x@{place}");
    connect(&url).await;
    let config = through(&world, &url);
    hold("straight to Postgres", storm(|| Api::new(&config).unwrap()).await, true);
}

/// As `deo up` and a container have it: one instance, and one connection.
#[tokio::test]
async fn one_instance_answers_two_hundred_over_one_connection() {
    let world = world().await;
    let api = Api::new(&world.config).unwrap();
    hold("one instance", storm(|| api.clone()).await, false);
}
