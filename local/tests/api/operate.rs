//! The queue as the console sees it: shared looks, why jobs failed, and operating it.

use axum::http::StatusCode;
use fixture::log::Log;
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::queue::Settlement;
use shared::redis::Command;

use crate::wake::Endpoint;
use crate::world::{World, assert_error};

const ON: (&str, &str) = ("API_QUEUE_OPERATIONS", "true");

/// How many commands the world's Redis has executed, without those that a connection begins with.
async fn executed(world: &World) -> u64 {
    let info = world.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
    let calls = info.as_str().unwrap().lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let free = ["hello", "auth", "client", "info"].iter().any(|free| name.starts_with(free));
        rest.split(',').next()?.parse::<u64>().ok().filter(|_| !free)
    });
    calls.sum()
}

/// Jobs of projects that failed for these reasons.
async fn fail(world: &World, reasons: &[(&str, &str)]) {
    for (project, reason) in reasons {
        world.post("owner", &format!("/projects/{project}/deo-score/recompute"), "").await;
        let claim = world.claim().await;
        world.settle(claim, Settlement::Unrecoverable((*reason).to_owned())).await;
    }
}

#[tokio::test]
async fn a_look_costs_ten_commands_at_most_however_many_look() {
    let mut world = World::with_own_redis().await;
    fail(&world, &[("p1", "no")]).await;
    world.post("owner", "/projects/p2/deo-score/recompute", "").await;
    world.post("owner", "/projects/p3/deo-score/recompute", r#"{"reason": "scheduled"}"#).await;
    world.serve_anew().await;
    let before = executed(&world).await;
    let looks = join_all((0..5).map(|_| world.get("admin", "/queue"))).await;
    let spent = executed(&world).await - before;
    assert!((1..=10).contains(&spent), "{spent}");
    let bodies: Vec<Value> = looks.iter().map(|look| look.json()).collect();
    assert!(bodies.iter().all(|body| body["at"] == bodies[0]["at"]), "{bodies:#?}");
    assert_eq!(bodies[0]["counts"]["waiting"], 1);
    assert_eq!(bodies[0]["counts"]["prioritized"], 1);
    assert_eq!((&bodies[0]["held"], &bodies[0]["counts"]["failed"]), (&Value::Null, &json!(1)));
    assert!(bodies[0]["oldestWaitingMs"].is_i64());
    let again = executed(&world).await;
    world.get("admin", "/queue").await;
    assert_eq!(executed(&world).await, again);
}

#[tokio::test]
async fn failures_are_grouped_by_reason() {
    let world = World::start().await;
    fail(&world, &[("p1", "no"), ("p2", "timed out"), ("p3", "no")]).await;
    let body = world.get("admin", "/queue/failures").await.json();
    let group = |place: usize| {
        let group = &body["failures"][place];
        (group["reason"].clone(), group["count"].clone(), group["jobIds"].clone())
    };
    assert_eq!(group(0), (json!("no"), json!(2), json!(["3", "1"])));
    assert_eq!(group(1), (json!("timed out"), json!(1), json!(["2"])));
    assert!(body["failures"][0]["newest"].as_i64() <= body["at"].as_i64(), "{body}");
    assert_eq!(world.get("owner", "/queue/failures").await.status, 403);
}

#[tokio::test]
async fn operating_the_queue_is_off_unless_a_setting_switches_it_on() {
    let mut world = World::start().await;
    fail(&world, &[("p1", "no")]).await;
    let routes = [
        ("pause", ""),
        ("resume", ""),
        ("retry", r#"{"reason": "no"}"#),
        ("promote", ""),
        ("limit", r#"{"concurrency": 1}"#),
    ];
    assert_eq!(world.get("admin", "/queue").await.json()["operations"], false);
    let keys = world.keys().await;
    for (route, body) in routes {
        let answer = world.post("admin", &format!("/queue/{route}"), body).await;
        let error = answer.json();
        assert_eq!(
            (answer.status, &error["code"]),
            (404, &json!("QUEUE_OPERATIONS_OFF")),
            "{route}"
        );
        assert!(
            error["message"].as_str().unwrap().contains("API_QUEUE_OPERATIONS=true"),
            "{error}"
        );
    }
    assert_eq!(world.keys().await, keys);
    world.config.queue_operations = true;
    world.serve_anew().await;
    for (route, body) in routes {
        let path = format!("/queue/{route}");
        let answer = world.post("owner", &path, body).await;
        assert_error(&answer, 403, "ForbiddenException", "Forbidden resource", &path);
    }
    assert_eq!(world.keys().await, keys);
}

#[tokio::test]
async fn an_administrator_pauses_resumes_and_limits_and_sees_it_at_once() {
    let world = World::with(&[ON]).await;
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    let held = async || {
        let body = world.get("admin", "/queue").await.json();
        assert_eq!(body["operations"], true);
        body["held"]["because"].clone()
    };
    assert_eq!(held().await, Value::Null);
    for _ in 0..2 {
        let answer = world.post("admin", "/queue/pause", "").await;
        assert_eq!((answer.status, answer.json()), (200, json!({"paused": true})));
        assert_eq!(held().await, "paused");
    }
    assert_eq!(world.post("admin", "/queue/resume", "").await.json(), json!({"paused": false}));
    assert_eq!(held().await, Value::Null);
    let limit = async |body: &str| world.post("admin", "/queue/limit", body).await;
    let set = limit(r#"{"concurrency": 3, "rate": {"max": 5, "durationMs": 1000}}"#).await;
    let rate = json!({"max": 5, "durationMs": 1000});
    assert_eq!(set.json(), json!({"concurrency": 3, "rate": rate}));
    let lifted = limit(r#"{"concurrency": null}"#).await;
    assert_eq!(lifted.json(), json!({"concurrency": null, "rate": rate}));
    assert_eq!(world.get("admin", "/queue").await.json()["limits"]["rate"], rate);
    for wrong in [
        "",
        "{}",
        "[]",
        r#"{"concurrency": 0}"#,
        r#"{"rate": {"max": 5}}"#,
        r#"{"rate": 5}"#,
        r#"{"rate": [5, 1000]}"#,
    ] {
        assert_eq!(limit(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(world.get("admin", "/queue").await.json()["limits"]["rate"], rate);
}

#[tokio::test]
async fn a_limit_that_is_lifted_wakes_the_drain_and_one_of_a_paused_queue_does_not() {
    let mut drain = Endpoint::start(async || StatusCode::OK).await;
    let world = World::with(&[ON, ("DRAIN_WAKE_URL", &drain.url)]).await;
    world.queue().pause().await.unwrap();
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    let lift = async || world.post("admin", "/queue/limit", r#"{"concurrency": null}"#).await;
    assert_eq!(lift().await.status, 200);
    world.queue().resume().await.unwrap();
    assert_eq!(lift().await.status, 200);
    assert_eq!(drain.asked().await.len(), 1);
}

#[tokio::test]
async fn who_operates_the_queue_is_in_the_log_and_who_tried_to() {
    let log = Log::of_this_thread();
    let world = World::with(&[ON]).await;
    fail(&world, &[("p1", "no")]).await;
    world.post("owner", "/queue/pause", "").await;
    world.post("admin", "/queue/retry", r#"{"reason": "no"}"#).await;
    world.post("admin", "/queue/promote", r#"{"jobId": "99"}"#).await;
    world.post("admin", "/queue/limit", r#"{"concurrency": 3}"#).await;
    let told: Vec<_> = log
        .lines()
        .into_iter()
        .map(|line| line["fields"].clone())
        .filter(|fields| fields["operation"].is_string())
        .map(|fields| {
            let text = |name: &str| fields[name].as_str().unwrap().to_owned();
            (text("user"), text("operation"), text("message"), fields["jobs"].as_u64())
        })
        .collect();
    let line = |user: &str, operation: &str, message: &str, jobs| {
        (user.to_owned(), operation.to_owned(), message.to_owned(), jobs)
    };
    let (tried, done) = ("the queue is to be operated", "the queue was operated");
    let expected = [
        line("owner", "pause", tried, None),
        line("admin", "retry", tried, None),
        line("admin", "retry", done, Some(1)),
        line("admin", "promote", tried, None),
        line("admin", "promote", "the queue was not operated", None),
        line("admin", "limit", tried, None),
        line("admin", "limit concurrency: 3", done, Some(0)),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_administrator_retries_a_group_and_promotes() {
    let world = World::with(&[ON]).await;
    fail(&world, &[("p1", "no"), ("p2", "timed out")]).await;
    let groups = async || {
        let body = world.get("admin", "/queue/failures").await.json();
        body["failures"].as_array().unwrap().len()
    };
    assert_eq!(groups().await, 2);
    let retry = r#"{"reason": "timed out"}"#;
    for retried in [1, 0] {
        let answer = world.post("admin", "/queue/retry", retry).await.json();
        assert_eq!(answer, json!({"retried": retried, "left": 1, "next": null}));
    }
    assert_eq!(groups().await, 1);
    // A walk that began before any of them failed.
    let earlier = r#"{"reason": "no", "from": "1-0"}"#;
    let answer = world.post("admin", "/queue/retry", earlier).await.json();
    assert_eq!(answer, json!({"retried": 0, "left": 1, "next": null}));
    for wrong in [
        "",
        "{}",
        r#"{"reason": ""}"#,
        r#"{"reason": "…"}"#,
        r#"{"reason": "no", "from": "x"}"#,
        r#"{"reason": "no", "from": "0"}"#,
        r#"{"reason": "no", "from": "1--1"}"#,
    ] {
        assert_eq!(world.post("admin", "/queue/retry", wrong).await.status, 400, "{wrong}");
    }
    let later = r#"{"delayMs": 3600000}"#;
    assert_eq!(world.post("owner", "/projects/p3/deo-score/recompute", later).await.status, 201);
    let promoted = world.post("admin", "/queue/promote", r#"{"jobId": "3"}"#).await.json();
    assert_eq!(promoted, json!({"promoted": 1, "left": 0}));
    for wrong in [json!({"jobId": ""}), json!({"jobId": "x".repeat(192)}), json!([])] {
        let answer = world.post("admin", "/queue/promote", &wrong.to_string()).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let again = world.post("admin", "/queue/promote", r#"{"jobId": "3"}"#).await;
    assert_error(&again, 400, "BadRequestException", "The job is not delayed", "/queue/promote");
    let none = world.post("admin", "/queue/promote", r#"{"jobId": "99"}"#).await;
    assert_error(&none, 404, "NotFoundException", "Job not found", "/queue/promote");
    assert_eq!(
        world.post("admin", "/queue/promote", "").await.json(),
        json!({"promoted": 0, "left": 0})
    );
}
