//! The platform's routes, as its web application calls them.

use reqwest::Method;
use serde_json::{Value, json};
use shared::queue::Settlement;
use shared::redis::Command;

use crate::world::{World, assert_error};

const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";

#[tokio::test]
async fn a_recompute_is_enqueued_as_the_platforms_worker_expects_it() {
    let world = World::start().await;
    let answer = world.post("owner", RECOMPUTE, "").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.text, r#"{"projectId":"p1","enqueued":true}"#);
    assert_eq!(answer.header("x-job-id"), Some("1"));
    assert_eq!(answer.header("x-deduplicated"), None);
    assert_eq!(world.config.queue.name, "deo_score_queue");
    assert_eq!(world.job_field("1", "name").await.as_deref(), Some("deo_score_recompute"));
    let data: Value = serde_json::from_str(&world.job_field("1", "data").await.unwrap()).unwrap();
    let expected = json!({"projectId": "p1", "triggeredByUserId": "owner", "reason": "manual"});
    assert_eq!(data, expected);
}

#[tokio::test]
async fn each_reason_reaches_the_job() {
    let world = World::start().await;
    let reasons = [("p1", "manual"), ("p2", "scheduled"), ("p3", "after_import")];
    for (id, (project, reason)) in ["1", "2", "3"].into_iter().zip(reasons) {
        let path = format!("/projects/{project}/deo-score/recompute");
        let answer = world.post("owner", &path, &json!({"reason": reason}).to_string()).await;
        assert_eq!((answer.status, answer.header("x-job-id")), (201, Some(id)));
        let data = world.job_field(id, "data").await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap()["reason"], reason);
    }
    let counts = world.queue().counts().await.unwrap();
    assert_eq!((counts.wait, counts.prioritized), (2, 1), "a scheduled one stands behind");
}

#[tokio::test]
async fn who_asks_by_hand_does_not_wait_behind_the_night() {
    let world = World::start().await;
    let night = world.post("owner", RECOMPUTE, r#"{"reason": "scheduled"}"#).await;
    let manual = world.post("owner", RECOMPUTE, r#"{"reason": "manual"}"#).await;
    assert_eq!(manual.header("x-deduplicated"), Some("true"));
    assert_eq!(manual.header("x-job-id"), night.header("x-job-id"));
    let counts = world.queue().counts().await.unwrap();
    assert_eq!((counts.wait, counts.prioritized), (1, 0));
}

#[tokio::test]
async fn an_empty_object_and_null_are_no_reason() {
    let world = World::start().await;
    for body in ["{}", r#"{"reason": null}"#, r#"{"more": 1}"#, " \n"] {
        let answer = world.post("owner", RECOMPUTE, body).await;
        assert_eq!((answer.status, answer.header("x-job-id")), (201, Some("1")), "{body}");
    }
}

#[tokio::test]
async fn a_waiting_job_is_reused_and_a_running_one_runs_once_more() {
    let world = World::start().await;
    let first = world.post("owner", RECOMPUTE, "").await;
    let second = world.post("owner", RECOMPUTE, "").await;
    assert_eq!(second.text, first.text, "the body tells nothing of it");
    assert_eq!(second.header("x-job-id"), first.header("x-job-id"));
    assert_eq!(second.header("x-deduplicated"), Some("true"));

    let claim = world.claim().await;
    let third = world.post("owner", RECOMPUTE, "").await;
    assert_eq!(third.text, first.text);
    assert_eq!(third.header("x-job-id"), Some("2"), "a job of its own");
    assert_eq!(third.header("x-deduplicated"), Some("after-active"));

    world.settle(claim, Settlement::Complete("null".to_owned())).await;
    assert_eq!(world.queue().counts().await.unwrap().wait, 1, "it runs once more");
}

#[tokio::test]
async fn a_retry_with_the_same_key_answers_as_the_first_call_did() {
    let world = World::start().await;
    let ask = async |user: &str, path: &str, key: &str| {
        world.send(Method::POST, user, path, &[("Idempotency-Key", key)], "").await
    };
    let first = ask("owner", RECOMPUTE, "k").await;
    assert_eq!(first.header("x-job-id"), Some("1"));

    // The job is done meanwhile: without the key, the retry would run it again.
    let queue = world.queue();
    let claim = world.claim().await;
    world.settle(claim, Settlement::Complete("null".to_owned())).await;

    let retry = ask("owner", RECOMPUTE, "k").await;
    assert_eq!((retry.status, &retry.text), (first.status, &first.text));
    assert_eq!(retry.header("x-job-id"), Some("1"));
    assert_eq!(retry.header("x-deduplicated"), None);
    assert_eq!(queue.counts().await.unwrap().wait, 0, "nothing was added");

    // The same key of another request is another key.
    let elsewhere = ask("owner", "/projects/p2/deo-score/recompute", "k").await;
    assert_eq!(elsewhere.header("x-job-id"), Some("2"));
    let another = ask("owner", RECOMPUTE, "K").await;
    assert_ne!(another.header("x-job-id"), Some("1"));
    let stranger = ask("other", "/projects/q1/deo-score/recompute", "k").await;
    assert_eq!(stranger.status, 201);
    assert_eq!(queue.counts().await.unwrap().wait, 3);
}

#[tokio::test]
async fn a_key_with_another_body_is_a_422_that_touches_nothing() {
    let world = World::start().await;
    let ask = async |body: &str| {
        world
            .send(Method::POST, "owner", RECOMPUTE, &[("Idempotency-Key", "k")], body.to_owned())
            .await
    };
    let first = ask(r#"{"reason": "manual"}"#).await;
    assert_eq!((first.status, first.header("x-job-id")), (201, Some("1")));
    let before = world.keys().await.len();
    for other in [
        r#"{"reason": "scheduled"}"#,
        r#"{"reason": "after_import"}"#,
        r#"{"delayMs": 1}"#,
        r#"{"deduplication": {"ttlMs": 1000}}"#,
        r#"{"deduplication": {"replace": true}}"#,
    ] {
        let answer = ask(other).await;
        let message = "This Idempotency-Key was used for another request: take a new one";
        assert_error(&answer, 422, "UnprocessableEntityException", message, RECOMPUTE);
    }
    assert_eq!(world.keys().await.len(), before);
    assert_eq!(world.queue().counts().await.unwrap().wait, 1);
    // The same in other words is the same, and still gets the first answer.
    for same in ["", "{}", r#"{"reason":"manual","delayMs":0}"#, r#" {"more": 1}"#] {
        let answer = ask(same).await;
        assert_eq!((answer.status, answer.header("x-job-id")), (201, Some("1")), "{same}");
        assert_eq!(answer.header("x-deduplicated"), None, "{same}");
    }
}

#[tokio::test]
async fn of_two_requests_at_once_with_one_key_the_first_decides() {
    let world = World::start().await;
    let ask = async |body: &'static str| {
        world.send(Method::POST, "owner", RECOMPUTE, &[("Idempotency-Key", "k")], body).await.status
    };
    let (manual, night) = (r#"{"reason":"manual"}"#, r#"{"reason":"scheduled"}"#);
    let mut answers: [u16; 4] =
        tokio::join!(ask(manual), ask(night), ask(manual), ask(night)).into();
    answers.sort_unstable();
    assert_eq!(answers, [201, 201, 422, 422]);
    let counts = world.queue().counts().await.unwrap();
    assert_eq!(counts.wait + counts.prioritized, 1);
}

#[tokio::test]
async fn a_key_is_honoured_for_24_hours_on_both_routes() {
    let world = World::start().await;
    let key = [("Idempotency-Key", "k")];
    let one = world.send(Method::POST, "owner", RECOMPUTE, &key, "").await;
    let many = r#"{"projectIds": ["p2", "p3"]}"#;
    let many = world.send(Method::POST, "owner", "/deo-score/recompute", &key, many).await;
    assert_eq!((one.status, many.status), (201, 202));
    let is_kept = |key: &String| key.contains(":receipt-once-") || key.contains(":asked-");
    let receipts: Vec<String> = world.keys().await.into_iter().filter(is_kept).collect();
    assert_eq!(receipts.len(), 4, "{receipts:?}");
    for receipt in receipts {
        let left = world.redis().call(Command::new("PTTL").arg(receipt)).await.unwrap();
        let left = left.as_int().unwrap();
        assert!((86_340_000..=86_400_000).contains(&left), "{left} ms");
    }
}

#[tokio::test]
async fn the_trace_context_travels_with_the_job() {
    let world = World::start().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("traceparent", parent)];
    let answer = world.send(Method::POST, "owner", RECOMPUTE, &headers, "").await;
    let opts = world.job_field(answer.header("x-job-id").unwrap(), "opts").await.unwrap();
    let opts: Value = serde_json::from_str(&opts).unwrap();
    let carrier: Value = serde_json::from_str(opts["tm"].as_str().unwrap()).unwrap();
    assert_eq!(carrier, json!({"traceparent": parent}));
}

#[tokio::test]
async fn without_redis_nothing_is_enqueued_and_the_client_is_told() {
    let world = World::with(&[("REDIS_URL", "")]).await;
    let answer = world.post("owner", RECOMPUTE, "").await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json(),
        json!({
            "projectId": "p1",
            "enqueued": false,
            "message": "Queue functionality unavailable - Redis not configured",
        }),
    );
    assert_eq!(answer.header("x-job-id"), None);
    assert_eq!(world.post("other", RECOMPUTE, "").await.status, 403);
}
