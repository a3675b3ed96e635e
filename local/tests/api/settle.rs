//! The way back for receivers of a queue's jobs.

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::Config;
use shared::http::Secrets;
use shared::queue::{Backoff, ClaimRequest, JobOptions, NewJob, Queue, QueueOptions, State};
use shared::redis::Command;

use crate::world::{Answer, World, assert_error};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const PATH: &str = "/queues/crawl/settle";

/// An API that takes callbacks about the queue `crawl`, and that queue.
async fn world() -> (World, Queue) {
    let mut world = World::with(&[("QUEUE_HTTP_SECRET", &format!("{OTHER} {SECRET}"))]).await;
    let mut config: Config = world.config.clone();
    config.forward.queues = vec!["crawl".to_owned()];
    world.base = crate::world::serve(api::Api::new(&config).unwrap()).await;
    let options = QueueOptions { name: "crawl".to_owned(), ..config.queue };
    let queue = Queue::new(world.redis(), &options, Clock::System);
    (world, queue)
}

/// Claims as many new jobs of three attempts: the token and the ids.
async fn claimed(queue: &Queue, count: usize) -> (String, Vec<String>) {
    let backoff = Some(Backoff::Fixed { delay_ms: 60_000, jitter: None });
    let opts = JobOptions { attempts: 3, backoff, ..JobOptions::default() };
    let job = NewJob { name: "crawl".to_owned(), data: "{}".to_owned(), opts, ..NewJob::default() };
    queue.enqueue(&vec![job; count]).await.unwrap();
    let claim = queue.claim(ClaimRequest::everywhere(1_000)).await.unwrap();
    (claim.token, claim.jobs.into_iter().map(|job| job.id).collect())
}

fn now_s() -> i64 {
    Clock::System.now_ms() / 1000
}

/// Sends a body with a signature over it.
async fn send(world: &World, path: &str, id: &str, at: i64, secret: &str, body: &str) -> Answer {
    let signature = Secrets::parse(secret).unwrap().sign(id, at, body.as_bytes());
    let at = at.to_string();
    let headers =
        [("webhook-id", id), ("webhook-timestamp", &at), ("webhook-signature", &signature)];
    world.send(reqwest::Method::POST, "", path, &headers, body.to_owned()).await
}

async fn call_back(world: &World, claim: &str, jobs: Value) -> Answer {
    let body = json!({ "claim": claim, "jobs": jobs }).to_string();
    send(world, PATH, "settle_1", now_s(), SECRET, &body).await
}

async fn state(queue: &Queue, id: &str) -> (State, Option<String>) {
    let mut job = queue.job(id).await.unwrap().unwrap();
    (job.state.unwrap(), job.fields.remove("atm"))
}

async fn lock_ms(queue: &Queue, id: &str) -> i64 {
    let key = format!("{}:crawl:{id}:lock", queue.options().prefix);
    queue.redis().call(Command::new("PTTL").arg(key)).await.unwrap().as_int().unwrap()
}

#[tokio::test]
async fn a_receiver_is_told_why_redis_refuses() {
    let (mut world, queue) = world().await;
    let (claim, ids) = claimed(&queue, 1).await;
    world.config.forward.queues = vec!["crawl".to_owned()];
    world.serve_as("receiver", &["-evalsha", "-eval"]).await;
    let answer = call_back(&world, &claim, json!([{ "id": ids[0], "status": "completed" }])).await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("QUEUE_NO_PERMISSION")));
    assert_eq!(world.get("", "/health").await.json()["redis"]["refuses"], "no_permission");
    assert_eq!(state(&queue, &ids[0]).await.0, State::Active);
}

#[tokio::test]
async fn a_receiver_ends_its_jobs_and_hears_what_became_of_each() {
    let (world, queue) = world().await;
    let (claim, ids) = claimed(&queue, 6).await;
    let entries = json!([
        { "id": ids[0], "status": "completed", "returnvalue": {"n": 9_007_199_254_740_993_i64} },
        { "id": ids[1], "status": "failed", "reason": "no" },
        { "id": ids[2], "status": "unrecoverable", "reason": "never" },
        { "id": ids[3], "status": "postponed" },
        { "id": ids[4], "status": "working", "lockMs": 600_000 },
        { "id": "unknown", "status": "completed" },
        { "id": ids[5], "status": "retry", "reason": "later", "delayMs": 1_000 },
    ]);
    let answer = call_back(&world, &claim, entries.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcomes = |answer: &Answer| -> Vec<(String, String)> {
        let jobs = answer.json()["jobs"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        jobs.iter().map(|job| (text(&job["id"]), text(&job["outcome"]))).collect()
    };
    let words = ["completed", "retried", "failed", "postponed", "working", "refused", "retried"];
    let told = outcomes(&answer);
    assert_eq!(told.iter().map(|(_, outcome)| outcome.as_str()).collect::<Vec<_>>(), words);
    assert_eq!((told[0].0.as_str(), told[5].0.as_str()), (ids[0].as_str(), "unknown"));
    let one = Some("1".to_owned());
    assert_eq!(state(&queue, &ids[0]).await, (State::Completed, one.clone()));
    assert_eq!(state(&queue, &ids[1]).await, (State::Delayed, one.clone()));
    assert_eq!(state(&queue, &ids[2]).await, (State::Failed, one.clone()));
    assert_eq!(state(&queue, &ids[3]).await, (State::Wait, None));
    assert_eq!(state(&queue, &ids[4]).await, (State::Active, None));
    assert_eq!(state(&queue, &ids[5]).await, (State::Delayed, one));
    assert!((590_000..=600_000).contains(&lock_ms(&queue, &ids[4]).await));
    let done = queue.job(&ids[0]).await.unwrap().unwrap();
    assert_eq!(done.fields["returnvalue"], "{\"n\":9007199254740993}");

    // Once more, as after a lost answer: nothing else happens.
    let again = outcomes(&call_back(&world, &claim, entries).await);
    let refused = again.iter().filter(|(_, outcome)| outcome == "refused").count();
    assert_eq!((refused, again[4].1.as_str()), (6, "working"));
    assert_eq!(state(&queue, &ids[1]).await, (State::Delayed, Some("1".to_owned())));
}

#[tokio::test]
async fn whoever_lost_a_job_cannot_end_it() {
    let (world, queue) = world().await;
    let (claim, ids) = claimed(&queue, 2).await;
    let key = |id: &str| format!("{}:crawl:{id}:lock", queue.options().prefix);
    queue.redis().call(Command::new("DEL").arg(key(&ids[0]))).await.unwrap();
    let steal = Command::new("SET").arg(key(&ids[1])).arg("somebody else's");
    queue.redis().call(steal).await.unwrap();
    for word in ["completed", "working"] {
        let entry = |id: &String| json!({ "id": id, "status": word });
        let answer = call_back(&world, &claim, json!([entry(&ids[0]), entry(&ids[1])])).await;
        let refused = |id: &String| json!({ "id": id, "outcome": "refused" });
        assert_eq!(answer.json()["jobs"], json!([refused(&ids[0]), refused(&ids[1])]), "{word}");
    }
    assert_eq!(state(&queue, &ids[0]).await.0, State::Active);
    let holder = queue.redis().call(Command::new("GET").arg(key(&ids[1]))).await.unwrap();
    assert_eq!(holder.as_str(), Some("somebody else's"));
}

#[tokio::test]
async fn only_what_is_signed_as_a_callback_and_in_time_counts() {
    let (world, queue) = world().await;
    let (claim, ids) = claimed(&queue, 1).await;
    let body =
        json!({ "claim": claim, "jobs": [{ "id": ids[0], "status": "completed" }] }).to_string();
    let stranger = "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
    let now = now_s();
    // What is signed for a receiver begins with `batch_`: sent here, it is no callback.
    for (id, at, secret) in [
        ("settle_1", now, stranger),
        ("settle_1", now - 302, SECRET),
        ("settle_1", now + 302, SECRET),
        ("batch_1", now, SECRET),
    ] {
        let answer = send(&world, PATH, id, at, secret, &body).await;
        assert_error(&answer, 401, "UnauthorizedException", "Unauthorized", PATH);
    }
    let signature = Secrets::parse(SECRET).unwrap().sign("settle_1", now, body.as_bytes());
    let (at, all) = (now.to_string(), ["webhook-id", "webhook-timestamp", "webhook-signature"]);
    for missing in all {
        let headers: Vec<(&str, &str)> = all
            .into_iter()
            .zip(["settle_1", &at, &signature])
            .filter(|(name, _)| *name != missing)
            .collect();
        let answer = world.send(reqwest::Method::POST, "", PATH, &headers, body.clone()).await;
        assert_error(&answer, 401, "UnauthorizedException", "Unauthorized", PATH);
    }
    // A body that was changed on its way, and the user's token in place of a signature.
    let headers = all.into_iter().zip(["settle_1", &at, &signature]).collect::<Vec<_>>();
    let changed = body.replace("completed", "failed");
    let answer = world.send(reqwest::Method::POST, "", PATH, &headers, changed).await;
    assert_error(&answer, 401, "UnauthorizedException", "Unauthorized", PATH);
    let answer = world.post("admin", PATH, &body).await;
    assert_error(&answer, 401, "UnauthorizedException", "Unauthorized", PATH);
    assert_eq!(state(&queue, &ids[0]).await.0, State::Active);
    // With either secret, while one takes the other's place.
    let answer = send(&world, PATH, "settle_1", now, OTHER, &body).await;
    assert_eq!(answer.json()["jobs"][0]["outcome"], "completed");
}

#[tokio::test]
async fn a_callback_that_is_wrong_touches_nothing() {
    let (world, queue) = world().await;
    let (claim, ids) = claimed(&queue, 2).await;
    let good = json!({ "id": ids[0], "status": "completed" });
    let wrong = json!({ "id": ids[1], "status": "done" });
    let answer = call_back(&world, &claim, json!([good, wrong])).await;
    let message = "jobs[1] is malformed: its status must be completed, failed, retry, unrecoverable, \
                   postponed or accepted, a reason a string, delayMs and lockMs numbers";
    assert_error(&answer, 400, "BadRequestException", message, PATH);
    let answer = call_back(&world, &claim, json!([])).await;
    assert_eq!(answer.status, 400);
    let long = format!("{{\"claim\":\"{}\"}}", "x".repeat(256 * 1024));
    let answer = send(&world, PATH, "settle_1", now_s(), SECRET, &long).await;
    assert_error(&answer, 413, "PayloadTooLargeException", "The body is larger than 256 KiB", PATH);
    let body = json!({ "claim": claim, "jobs": [good] }).to_string();
    // The queue of scores is nobody's to settle over HTTP.
    let other = "/queues/deo_score_queue/settle";
    let answer = send(&world, other, "settle_1", now_s(), SECRET, &body).await;
    assert_error(&answer, 404, "NotFoundException", "Queue not found", other);
    assert_eq!(state(&queue, &ids[0]).await.0, State::Active);
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_route() {
    let world = World::start().await;
    let answer = send(&world, PATH, "settle_1", now_s(), SECRET, "{}").await;
    assert_error(&answer, 404, "NotFoundException", &format!("Cannot POST {PATH}"), PATH);
}

#[tokio::test]
async fn without_redis_it_is_said_that_it_helps_to_come_back() {
    let (mut world, queue) = world().await;
    let (claim, ids) = claimed(&queue, 1).await;
    let mut config = world.config.clone();
    config.forward.queues = vec!["crawl".to_owned()];
    config.redis = None;
    world.base = crate::world::serve(api::Api::new(&config).unwrap()).await;
    let answer = call_back(&world, &claim, json!([{ "id": ids[0], "status": "completed" }])).await;
    assert_eq!(answer.status, 503);
}
