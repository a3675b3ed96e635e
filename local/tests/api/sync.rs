//! A recompute within the request.

use std::time::{Duration, Instant};

use api::Api;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{World, assert_error, serve};

const SYNC: &str = "/projects/p1/deo-score/recompute-sync";

const ROWS: &str = r#"INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", title, issues)
        VALUES ('c1', 'p1', 'https://a.example/', 200, 'A shop', '[]');
    INSERT INTO "Product" (id, "projectId", "externalId", title, description)
        VALUES ('d1', 'p1', 'x', 'A chair', 'Four legs and a seat')"#;

/// Reading a product takes so many seconds.
async fn slow(world: &World, seconds: u32) {
    let view = format!(
        r#"CREATE FUNCTION slow() RETURNS text STABLE LANGUAGE plpgsql AS
            $$BEGIN PERFORM pg_sleep({seconds}); RETURN ''; END$$;
        ALTER TABLE "Product" RENAME TO products;
        CREATE VIEW "Product" AS SELECT id, "projectId", title, "seoTitle", "seoDescription",
            "lastSyncedAt", description || slow() AS description FROM products"#
    );
    world.database.batch_execute(&view).await.unwrap();
}

/// Until a statement of ours sleeps.
async fn somebody_reads(world: &World) {
    let reads = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'
        AND datname = current_database()";
    for _ in 0..1_000 {
        if world.database.query_one(reads, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody reads");
}

async fn snapshots(world: &World) -> i64 {
    let count = r#"SELECT count(*) FROM "DeoScoreSnapshot""#;
    world.database.query_one(count, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn the_score_is_computed_and_stored_without_the_queue() {
    let world = World::start().await;
    world.database.batch_execute(ROWS).await.unwrap();
    let answer = world.post("owner", SYNC, "").await;
    let score = answer.json()["score"].as_i64().unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.text, format!(r#"{{"projectId":"p1","computed":true,"score":{score}}}"#));
    assert!(score > 0, "{score}");
    assert_eq!(world.keys().await, [""; 0], "the queue was not touched");

    let by_sync = world.get("owner", "/projects/p1/deo-score").await.json();
    assert_eq!(by_sync["latestScore"]["overall"], score);
    // A job's result, but for its id and its moment, and it comes later.
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    assert_eq!(world.tick().await.completed, 1);
    let by_job = world.get("owner", "/projects/p1/deo-score").await.json();
    assert_ne!(by_job["latestSnapshot"]["id"], by_sync["latestSnapshot"]["id"]);
    let of = |answer: &Value, field: &str| answer["latestSnapshot"][field].clone();
    let at = |answer| of(answer, "computedAt").as_str().unwrap().to_owned();
    assert!(at(&by_job) > at(&by_sync));
    for field in ["breakdown", "version", "projectId"] {
        assert_eq!(of(&by_job, field), of(&by_sync, field), "{field}");
    }
    let keys =
        |answer| of(answer, "metadata").as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&by_job), keys(&by_sync));
    // And once more: each has a snapshot of its own.
    for body in ["{}", "", r#"{"reason": "manual"}"#] {
        assert_eq!(world.post("owner", SYNC, body).await.status, 201, "{body}");
    }
    assert_eq!(snapshots(&world).await, 5);
}

#[tokio::test]
async fn a_result_that_is_read_earlier_does_not_take_the_place_of_a_later_one() {
    let world = World::start().await;
    world.database.batch_execute(ROWS).await.unwrap();
    let later = r#"UPDATE "Project" SET "currentDeoScore" = 99,
        "currentDeoScoreComputedAt" = now() AT TIME ZONE 'UTC' + interval '1 hour' WHERE id = 'p1'"#;
    world.database.batch_execute(later).await.unwrap();
    let answer = world.post("owner", SYNC, "").await;
    assert_eq!(answer.status, 201);
    let current = r#"SELECT "currentDeoScore" FROM "Project" WHERE id = 'p1'"#;
    let current: i32 = world.database.query_one(current, &[]).await.unwrap().get(0);
    assert_eq!((current, snapshots(&world).await), (99, 1));
}

#[tokio::test]
async fn retention_holds_for_it_as_well() {
    let world = World::with(&[("SNAPSHOT_RETENTION", "newest:2")]).await;
    for _ in 0..4 {
        assert_eq!(world.post("owner", SYNC, "").await.status, 201);
    }
    assert_eq!(snapshots(&world).await, 2);
}

#[tokio::test]
async fn it_is_for_those_who_may_and_takes_no_nonsense() {
    let world = World::start().await;
    let (forbidden, missing) = ("You do not have access to this project", "Project not found");
    let answer = world.post("other", SYNC, "").await;
    assert_error(&answer, 403, "ForbiddenException", forbidden, SYNC);
    let gone = SYNC.replace("p1", "nope");
    let answer = world.post("owner", &gone, "").await;
    assert_error(&answer, 404, "NotFoundException", missing, &gone);
    assert_eq!(world.post("nobody", SYNC, "").await.status, 401);
    for (status, body) in
        [(400, "[]".to_owned()), (400, "{".to_owned()), (413, " ".repeat(300_000))]
    {
        assert_eq!(world.post("owner", SYNC, &body).await.status, status);
    }
    assert_eq!(world.get("owner", SYNC).await.status, 405);
    assert_eq!(snapshots(&world).await, 0);
    // It needs no Redis.
    let world = World::with(&[("REDIS_URL", "")]).await;
    assert_eq!(world.post("owner", SYNC, "").await.status, 201);
}

#[tokio::test]
async fn one_at_a_time_is_computed_of_a_project_whichever_instance_is_asked() {
    let world = World::start().await;
    world.database.batch_execute(ROWS).await.unwrap();
    slow(&world, 5).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(serve(Api::new(&world.config).unwrap()).await);
    }
    let http = reqwest::Client::new();
    let ask = async |base: &str, path: &str| {
        let there = http.post(format!("{base}{path}")).bearer_auth(crate::world::token("owner"));
        let answer = there.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let busy = async {
        somebody_reads(&world).await;
        for base in &others {
            let (status, text) = ask(base, SYNC).await;
            let body: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((status, &body["code"]), (409, &"RECOMPUTE_UNDER_WAY".into()), "{body}");
            assert_eq!(body["error"], "ConflictException");
        }
        // Another project is none of its business.
        let begun = Instant::now();
        assert_eq!(ask(&others[0], &SYNC.replace("p1", "p2")).await.0, 201);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    };
    let (first, ()) = tokio::join!(world.post("owner", SYNC, ""), busy);
    assert_eq!(first.status, 201, "{}", first.text);
    // In one instance, whose statements wait for each other, it knows by itself.
    let both = tokio::join!(world.post("owner", SYNC, ""), world.post("owner", SYNC, ""));
    let mut both = [both.0.status, both.1.status];
    both.sort_unstable();
    assert_eq!(both, [201, 409]);
    assert_eq!(world.post("owner", SYNC, "").await.status, 201, "its turn is over");
}

#[tokio::test]
async fn what_takes_longer_than_a_request_is_a_503_and_goes_on_nowhere() {
    let world = World::start().await;
    world.database.batch_execute(ROWS).await.unwrap();
    slow(&world, 30).await;
    let begun = Instant::now();
    let answer = world.post("owner", SYNC, "").await;
    let message = "The score cannot be computed within a request; ask for a recompute instead";
    assert_error(&answer, 503, "ServiceUnavailableException", message, SYNC);
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    let runs = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'
        AND datname = current_database()";
    assert_eq!(world.database.query_one(runs, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(snapshots(&world).await, 0);
}

#[tokio::test]
async fn a_project_that_somebody_has_locked_is_a_503() {
    let world = World::start().await;
    let lock = r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p1' FOR UPDATE"#;
    world.database.batch_execute(lock).await.unwrap();
    let answer = world.post("owner", SYNC, "").await;
    let message = "The project is locked by somebody else; try again";
    assert_error(&answer, 503, "ServiceUnavailableException", message, SYNC);
    world.database.batch_execute("COMMIT").await.unwrap();
    let answer = world.post("owner", SYNC, "").await;
    assert_eq!(answer.json()["computed"], json!(true));
}

#[tokio::test]
async fn a_fall_is_told_as_one_that_a_job_finds_and_health_misses_its_table() {
    let world = World::with(&[("DROP_EVENTS_POINTS", "10")]).await;
    let rise = r#"UPDATE "Project" SET "currentDeoScore" = 90, "currentDeoScoreComputedAt" = '2026-01-01'
        WHERE id = 'p1'"#;
    world.database.batch_execute(rise).await.unwrap();
    let score = world.post("owner", SYNC, "").await.json()["score"].as_i64().unwrap();
    world.post("owner", SYNC, "").await;
    let events = r#"SELECT d.from_score, d.to_score::bigint, count(*) OVER ()
        FROM deo.score_drop d JOIN "DeoScoreSnapshot" s ON s.id = d.snapshot_id
        WHERE d.project_id = 'p1' AND d.ended_at IS NULL"#;
    let event = world.database.query_one(events, &[]).await.unwrap();
    assert_eq!((event.get(0), event.get(1), event.get(2)), (90, score, 1_i64));
    assert_eq!(world.get("", "/health?deep=1").await.json()["database"]["status"], "ok");
    world.database.batch_execute("DROP TABLE deo.score_drop").await.unwrap();
    assert_eq!(world.get("", "/health?deep=1").await.json()["database"]["status"], "error");
    assert_eq!(world.post("owner", SYNC, "").await.status, 500);
}
