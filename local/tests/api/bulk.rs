//! Many recomputes in one request.

use reqwest::Method;
use serde_json::{Value, json};
use servers::RedisServer;
use shared::redis::Command;

use crate::world::{World, assert_error};

const BULK: &str = "/deo-score/recompute";

/// How often a script was run so far.
async fn script_runs(world: &World) -> u64 {
    let info = world.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
    let calls = info.as_str().unwrap().lines().filter_map(|line| {
        let (name, rest) = line.split_once(":calls=")?;
        matches!(name, "cmdstat_eval" | "cmdstat_evalsha").then(|| rest.split(',').next())?
    });
    calls.map(|calls| calls.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn each_project_gets_a_job_or_a_reason() {
    let world = World::start().await;
    let waiting = world.post("owner", "/projects/p2/deo-score/recompute", "").await;
    assert_eq!(waiting.status, 201);
    let body = json!({"projectIds": ["p1", "nope", "p2", "q1", "p1"], "reason": "after_import"});
    let answer = world.post("owner", BULK, &body.to_string()).await;
    assert_eq!(answer.status, 202);
    assert_eq!(
        answer.json(),
        json!({
            "enqueued": 1,
            "deduplicated": 2,
            "jobs": [
                {"projectId": "p1", "jobId": "2", "deduplicated": false},
                {"projectId": "p2", "jobId": waiting.header("x-job-id"), "deduplicated": true},
            ],
            "rejected": [
                {"projectId": "nope", "status": 404},
                {"projectId": "q1", "status": 403},
            ],
        }),
    );
    assert_eq!(world.queue().counts().await.unwrap().wait, 2);
}

#[tokio::test]
async fn nothing_but_rejections_never_asks_redis() {
    let world = World::start().await;
    let answer = world.post("other", BULK, r#"{"projectIds": ["p1", "x"]}"#).await;
    assert_eq!(answer.status, 202);
    let rejected = json!([{"projectId": "p1", "status": 403}, {"projectId": "x", "status": 404}]);
    let expected = json!({"enqueued": 0, "deduplicated": 0, "jobs": [], "rejected": rejected});
    assert_eq!(answer.json(), expected);
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_retry_with_the_same_key_adds_nothing() {
    let world = World::start().await;
    let body = r#"{"projectIds": ["p1", "p2"]}"#;
    let key = [("Idempotency-Key", "night")];
    let first = world.send(Method::POST, "owner", BULK, &key, body).await;
    let retry = world.send(Method::POST, "owner", BULK, &key, body).await;
    assert_eq!((retry.status, &retry.text), (202, &first.text));
    assert_eq!(retry.json()["enqueued"], 2);
    // The order is the caller's business.
    let turned = r#"{"projectIds": ["p2", "p1"]}"#;
    let turned = world.send(Method::POST, "owner", BULK, &key, turned).await;
    assert_eq!(turned.text, first.text);
    // Another list, or another reason, is another request.
    for other in [
        r#"{"projectIds": ["p1"]}"#,
        r#"{"projectIds": ["p1", "p2", "p3"]}"#,
        r#"{"projectIds": ["p1", "p2", "p2"]}"#,
        r#"{"projectIds": ["p1", "p2"], "reason": "scheduled"}"#,
    ] {
        let answer = world.send(Method::POST, "owner", BULK, &key, other).await;
        let message = "This Idempotency-Key was used for another request: take a new one";
        assert_error(&answer, 422, "UnprocessableEntityException", message, BULK);
    }
    assert_eq!(world.queue().counts().await.unwrap().wait, 2);
}

/// Whom the first request turned away is part of its answer, whatever they may do later.
#[tokio::test]
async fn a_key_covers_what_was_asked_and_not_what_was_accepted() {
    let world = World::start().await;
    let ask = async |key: &str, body: &str| {
        world.send(Method::POST, "owner", BULK, &[("Idempotency-Key", key)], body.to_owned()).await
    };
    let (some, none) = (r#"{"projectIds": ["p1", "q1"]}"#, r#"{"projectIds": ["q1", "nope"]}"#);
    let (of_some, of_none) = (ask("some", some).await, ask("none", none).await);
    assert_eq!(of_some.json()["rejected"], json!([{"projectId": "q1", "status": 403}]));
    assert_eq!((of_none.status, &of_none.json()["enqueued"]), (202, &json!(0)));
    let moved = r#"UPDATE "Project" SET "userId" = CASE id WHEN 'q1' THEN 'owner' ELSE 'other' END
        WHERE id IN ('p1', 'q1')"#;
    world.database.batch_execute(moved).await.unwrap();
    for (key, body, first) in [("some", some, &of_some), ("none", none, &of_none)] {
        let again = ask(key, body).await;
        assert_eq!((again.status, &again.text), (202, &first.text), "{key}");
    }
    assert_eq!(world.queue().counts().await.unwrap().wait, 1);
    // The list counts, though nothing of it was accepted.
    assert_eq!(ask("none", r#"{"projectIds": ["q1"]}"#).await.status, 422);
    // Under a new key it is decided anew.
    assert_eq!(
        ask("new", some).await.json()["rejected"],
        json!([{"projectId": "p1", "status": 403}])
    );
    assert_eq!(world.queue().counts().await.unwrap().wait, 2);
}

#[tokio::test]
async fn without_redis_there_is_no_queue() {
    let world = World::with(&[("REDIS_URL", "")]).await;
    let answer = world.post("owner", BULK, r#"{"projectIds": ["p1"]}"#).await;
    let message = "Queue functionality unavailable - Redis not configured";
    assert_error(&answer, 503, "ServiceUnavailableException", message, BULK);
}

#[tokio::test]
async fn a_thousand_projects_are_one_round_trip_to_the_queue() {
    // A Redis of its own: nobody else's calls are counted.
    let redis = RedisServer::start().await.unwrap();
    let world = World::with(&[("REDIS_URL", &redis.url()), ("ENABLE_QUEUE_EVENTS", "true")]).await;
    let projects = r#"INSERT INTO "Project" ("id", "userId", "name")
        SELECT 'many' || n, 'owner', '' FROM generate_series(1, 1000) AS n"#;
    world.database.execute(projects, &[]).await.unwrap();
    // The first call of all loads the script.
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    let before = script_runs(&world).await;

    let ids: Vec<String> = (1..=1000).map(|n| format!("many{n}")).collect();
    let body = json!({"projectIds": ids}).to_string();
    let first = world.post("owner", BULK, &body).await.json();
    assert_eq!((&first["enqueued"], &first["deduplicated"]), (&1000.into(), &0.into()));
    assert_eq!(script_runs(&world).await - before, 1);
    let again = world.post("owner", BULK, &body).await.json();
    assert_eq!((&again["enqueued"], &again["deduplicated"]), (&0.into(), &1000.into()));
    let jobs = |answer: &Value| -> Vec<(Value, Value)> {
        let jobs = answer["jobs"].as_array().unwrap();
        jobs.iter().map(|job| (job["projectId"].clone(), job["jobId"].clone())).collect()
    };
    assert_eq!(jobs(&first), jobs(&again), "the same jobs stand for the same projects");
    assert_eq!(jobs(&first).len(), 1000);
    assert_eq!(script_runs(&world).await - before, 2);
    assert_eq!(world.queue().counts().await.unwrap().wait, 1001);
}
