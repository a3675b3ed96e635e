//! Servers that are down, silent or not configured.

use std::time::{Duration, Instant};

use fixture::connect;
use serde_json::{Value, json};
use servers::PostgresServer;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::world::{World, assert_error};

const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";
const DEAD_REDIS: (&str, &str) = ("REDIS_URL", "redis://127.0.0.1:1");
const DEAD_POSTGRES: (&str, &str) = ("DATABASE_URL", "postgres://u:pass@127.0.0.1:1/d");

/// A port that takes connections and never says a word.
async fn silence() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await);
        }
    });
    address
}

#[tokio::test]
async fn redis_down_is_a_503_after_all_other_checks() {
    let world = World::with(&[DEAD_REDIS]).await;
    let message = "The queue cannot be reached; try again";
    for path in [RECOMPUTE, "/deo-score/recompute"] {
        let answer = world.post("owner", path, r#"{"projectIds": ["p1"]}"#).await;
        assert_error(&answer, 503, "ServiceUnavailableException", message, path);
    }
    for (user, path) in [("owner", "/jobs/1"), ("admin", "/queue")] {
        let answer = world.get(user, path).await;
        assert_error(&answer, 503, "ServiceUnavailableException", message, path);
    }
    assert_eq!(world.post("", RECOMPUTE, "").await.status, 401);
    assert_eq!(world.post("nobody", RECOMPUTE, "").await.status, 401);
    assert_eq!(world.get("nobody", "/jobs/1").await.status, 401);
    assert_eq!(world.post("owner", RECOMPUTE, "[]").await.status, 400);
    assert_eq!(world.post("owner", "/projects/x/deo-score/recompute", "").await.status, 404);
    assert_eq!(world.post("other", RECOMPUTE, "").await.status, 403);
    assert_eq!(world.get("owner", "/projects/p1/deo-score").await.status, 200, "reads go on");
}

#[tokio::test]
async fn a_silent_redis_is_given_up_before_the_gateway_gives_us_up() {
    let url = format!("redis://{}", silence().await);
    let world = World::with(&[("REDIS_URL", &url)]).await;
    let started = Instant::now();
    let answer = world.post("owner", RECOMPUTE, "").await;
    assert_eq!(answer.status, 503);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn postgres_down_is_a_503_that_tells_nothing() {
    let world = World::with(&[DEAD_POSTGRES]).await;
    let message = "The database cannot be reached; try again";
    for path in ["/projects/p1/deo-score", "/jobs/1", "/queue"] {
        let answer = world.get("owner", path).await;
        assert_error(&answer, 503, "ServiceUnavailableException", message, path);
    }
    // What is wrong with the request is told all the same.
    assert_eq!(world.get("owner", "/jobs/%00").await.status, 400);
    for (status, body) in
        [(400, "{bad".to_owned()), (400, "[]".to_owned()), (413, " ".repeat(300_000))]
    {
        for path in [RECOMPUTE, "/deo-score/recompute"] {
            assert_eq!(world.post("owner", path, &body).await.status, status, "{path}");
        }
    }
    let answer = world.post("owner", RECOMPUTE, "").await;
    assert_error(&answer, 503, "ServiceUnavailableException", message, RECOMPUTE);
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_database_without_our_tables_is_our_fault() {
    let world = World::start().await;
    world.database.batch_execute(r#"DROP TABLE "DeoScoreSnapshot""#).await.unwrap();
    let path = "/projects/p1/deo-score";
    let answer = world.get("owner", path).await;
    assert_error(&answer, 500, "Internal server error", "Internal server error", path);
}

#[tokio::test]
async fn without_a_secret_nobody_is_let_in() {
    let world = World::with(&[("JWT_SECRET", "")]).await;
    for user in ["", "owner"] {
        let answer = world.post(user, RECOMPUTE, "").await;
        let text = "Internal server error";
        assert_error(&answer, 500, text, text, RECOMPUTE);
    }
}

#[tokio::test]
async fn health_asks_redis_and_remembers_postgres() {
    let world = World::start().await;
    let mut body = world.get("", "/health").await.json();
    assert!(body["redis"]["latencyMs"].take().as_f64().unwrap() > 0.0);
    assert_eq!(
        body,
        json!({
            "status": "ok",
            "redis": {"status": "ok", "latencyMs": null, "transport": "tcp"},
            "database": {"status": "unknown", "latencyMs": null},
        }),
    );
    world.get("owner", "/projects/p1/deo-score").await;
    let known = world.get("", "/health").await;
    assert_eq!(known.json()["database"], json!({"status": "ok", "latencyMs": null}));
    assert_eq!(known.header("cache-control"), Some("no-store"));
    let asked = world.get("", "/health?deep=1").await.json();
    assert!(asked["database"]["latencyMs"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn health_leaves_a_sleeping_database_alone() {
    let url = format!("postgres://u:p@{}/d", silence().await);
    let world = World::with(&[("DATABASE_URL", &url)]).await;
    for path in ["/health", "/health?deep=0"] {
        let answer = world.get("", path).await;
        assert_eq!((answer.status, &answer.json()["database"]["status"]), (200, &json!("unknown")));
    }
}

#[tokio::test]
async fn health_takes_a_second_at_most() {
    let (redis, postgres) = (silence().await, silence().await);
    let (redis, postgres) = (format!("redis://{redis}"), format!("postgres://u:p@{postgres}/d"));
    let world = World::with(&[("REDIS_URL", &redis), ("DATABASE_URL", &postgres)]).await;
    let mut took = Vec::new();
    let mut answer = world.get("", "/health?deep=1").await;
    for _ in 0..3 {
        let started = Instant::now();
        answer = world.get("", "/health?deep=1").await;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    // Both at once. The quickest: others run beside us.
    assert!(took[0] < Duration::from_millis(1_900), "{took:?}");
    assert_eq!(answer.status, 503);
    let body = answer.json();
    let statuses = [&body["status"], &body["redis"]["status"], &body["database"]["status"]];
    assert_eq!(statuses, ["degraded", "error", "error"].map(Value::from).each_ref());
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
}

#[tokio::test]
async fn a_check_that_was_given_up_is_remembered_at_once() {
    let url = format!("postgres://u:p@{}/d", silence().await);
    let world = World::with(&[("DATABASE_URL", &url)]).await;
    assert_eq!(world.get("", "/health?deep=1").await.status, 503, "given up after a second");
    let known = world.get("", "/health").await;
    assert_eq!((known.status, &known.json()["database"]["status"]), (503, &json!("error")));
}

#[tokio::test]
async fn a_database_that_falls_silent_is_down_until_it_answers() {
    let world = World::start().await;
    let database = async || world.get("", "/health").await.json()["database"]["status"].take();
    assert_eq!(world.get("owner", "/projects/p1/deo-score").await.status, 200);
    assert_eq!(database().await, "ok");
    // All that is asked for the user waits for this lock.
    world.database.batch_execute(r#"BEGIN; LOCK TABLE "User""#).await.unwrap();
    let asked = world.get("owner", "/projects/p1/deo-score");
    assert!(timeout(Duration::from_secs(2), asked).await.is_err(), "it waits, and is given up");
    assert_eq!(database().await, "error");
    world.database.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(world.get("owner", "/projects/p1/deo-score").await.status, 200);
    assert_eq!(database().await, "ok");
}

#[tokio::test]
async fn health_without_redis_is_no_failure() {
    let world = World::with(&[("REDIS_URL", "")]).await;
    let answer = world.get("", "/health").await;
    assert_eq!(answer.status, 200);
    let redis = json!({"status": "not_configured", "latencyMs": null, "transport": null});
    assert_eq!(answer.json()["redis"], redis);
    let world = World::with(&[("DATABASE_URL", "")]).await;
    assert_eq!(world.get("", "/health").await.status, 503);
}

#[tokio::test]
async fn health_notices_that_postgres_came_back() {
    let mut postgres = PostgresServer::start().await.unwrap();
    let url = postgres.create_database().await.unwrap();
    connect(&url).await.batch_execute(r#"CREATE TABLE "User" (id text)"#).await.unwrap();
    let world = World::with(&[("DATABASE_URL", &url)]).await;
    let database = async |path| world.get("", path).await.json()["database"]["status"].take();
    assert_eq!(database("/health?deep=1").await, "ok");
    postgres.kill();
    assert_eq!(database("/health").await, "ok", "the last known state");
    assert_eq!(world.get("owner", "/queue").await.status, 503);
    assert_eq!(database("/health").await, "error");
    postgres.restart().await.unwrap();
    assert_eq!(database("/health").await, "error", "nobody has asked it");
    assert_eq!(database("/health?deep=1").await, "ok");
    assert_eq!(database("/health").await, "ok");
}
