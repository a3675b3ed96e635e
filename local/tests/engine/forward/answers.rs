//! What a receiver answers of each job, at once or with a 202.

use super::*;

#[tokio::test]
async fn a_request_says_all_that_its_jobs_need() {
    let world = World::new("request", &["a", "b"], |request| all(request, "completed")).await;
    let before = Clock::System.now_ms();
    let report = world.tick().await;
    assert_eq!((report.completed, report.counters.get("requests")), (2, 1), "{report:?}");
    let seen = world.receiver.seen().remove(0);
    let body = &seen.body;
    assert_eq!((&body["queue"], &body["timeoutMs"]), (&json!("forward-request"), &json!(15_000)));
    assert_eq!(body["claim"].as_str().unwrap().len(), 32);
    assert!((before..before + 30_000).contains(&body["sentAt"].as_i64().unwrap()));
    let job = &body["jobs"][1];
    let id = world.ids[1].as_str();
    assert_eq!((&job["id"], &job["name"], &job["data"]), (&json!(id), &json!("job"), &json!("b")));
    assert_eq!(
        (&job["attempt"], &job["attempts"], &job["priority"]),
        (&json!(1), &json!(3), &json!(0))
    );
    assert_eq!(job["idempotencyKey"], json!(format!("{id}:1")));
    assert!(job["timestamp"].as_i64().unwrap() <= before && job.get("dataIsJson").is_none());
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("batchmq-timeout-ms"), "15000");
    assert!(seen.header("webhook-id").starts_with("batch_"), "{seen:?}");
}

#[tokio::test]
async fn each_job_ends_as_the_receiver_says() {
    let words = ["completed", "failed", "retry", "unrecoverable", "postponed", "accepted"];
    let world = World::new("ends", &words, |request| {
        let entry = |job: &Value| {
            json!({ "id": job["id"], "status": job["data"], "returnvalue": {"n": 1}, "reason": "told to",
                "delayMs": 5_000, "lockMs": 120_000 })
        };
        let jobs: Vec<Value> = request["jobs"].as_array().unwrap().iter().rev().map(entry).collect();
        receiver::json(&json!({ "jobs": jobs }))
    })
    .await;
    let report = world.tick().await;
    assert_eq!(
        world.jobs().await,
        [DONE, AGAIN, AGAIN, FAILED, BACK, (State::Active, 0)],
        "{report:?}"
    );
    assert_eq!(world.field(0, "returnvalue").await.as_deref(), Some("{\"n\":1}"));
    assert_eq!(world.field(1, "failedReason").await.as_deref(), Some("told to"));
    let delays = [world.field(1, "delay").await, world.field(2, "delay").await];
    assert_eq!(delays, [Some("60000".to_owned()), Some("5000".to_owned())]);
    let counts = (report.completed, report.retried, report.failed, report.released, report.kept);
    // What was postponed is met once more, and goes back unsent.
    assert_eq!((counts, report.lost), ((1, 2, 1, 2, 1), 0), "{report:?}");
    assert_eq!(world.receiver.sizes(), [6]);
    let lock = format!("bull:forward-ends:{}:lock", world.ids[5]);
    let left = world.queue.redis().call(Command::new("PTTL").arg(lock)).await.unwrap();
    assert!((110_000..=120_000).contains(&left.as_int().unwrap()), "{left:?}");
}

#[tokio::test]
async fn what_an_answer_leaves_open_has_failed_its_attempt() {
    let world = World::new("open", &["missing", "twice", "malformed", "fine"], |request| {
        let id = |place: usize| &request["jobs"][place]["id"];
        let done = |id: &Value| json!({ "id": id, "status": "completed" });
        let malformed = json!({ "id": id(2), "status": 7 });
        let jobs = [
            done(id(1)),
            done(&json!("unknown")),
            done(id(1)),
            malformed,
            json!(null),
            done(id(3)),
        ];
        receiver::json(&json!({ "jobs": jobs }))
    })
    .await;
    world.tick().await;
    assert_eq!(world.jobs().await, [AGAIN, AGAIN, AGAIN, DONE]);
    for (place, said) in
        ["does not name this job", "names this job twice", "is malformed"].iter().enumerate()
    {
        let reason = world.field(place, "failedReason").await.unwrap();
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn what_is_no_answer_fails_the_attempt_of_all() {
    let text = r#"{"jobs":[{"id":"1","status":"completed"},{"id":"2","status":"completed"}]}"#;
    for (name, code, kind, body) in [
        ("torn", 200, "application/json", "{\"jobs\":["),
        ("empty", 200, "application/json", ""),
        ("text", 200, "text/plain", text),
        ("201-text", 201, "text/plain", text),
        ("204", 204, "application/json", ""),
    ] {
        let head: &'static str = format!("content-type: {kind}\r\n").leak();
        let reply = move |_: &Value| Reply::Answer(code, head, body.to_owned());
        let world = World::new(name, &["a", "b"], reply).await;
        world.tick().await;
        assert_eq!(world.jobs().await, [AGAIN, AGAIN], "{name}");
        assert_eq!(world.receiver.sizes(), [2], "{name}");
    }
}

#[tokio::test]
async fn an_answer_counts_with_any_status_of_success() {
    let world = World::new("201", &["a", "b"], |request| match all(request, "completed") {
        Reply::Answer(_, head, body) => Reply::Answer(201, head, body),
        other => other,
    })
    .await;
    world.tick().await;
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![DONE; 2], vec![2]));
}

#[tokio::test]
async fn after_202_jobs_stay_with_the_receiver_until_their_lock_is_over() {
    let world = World::new("202", &["a", "b"], |_| {
        Reply::Answer(202, "content-type: application/json\r\n", "{\"lockMs\":1000}".to_owned())
    })
    .await;
    let report = world.tick().await;
    assert_eq!((world.jobs().await, report.kept), (vec![(State::Active, 0); 2], 2));
    // A peer leaves them alone while the locks live.
    world.tick().await;
    assert_eq!(world.receiver.sizes(), [2]);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    // Two looks for dead owners: the first one suspects, and both are half a minute apart.
    for _ in 0..2 {
        let check = Command::new("DEL").arg("bull:forward-202:stalled-check");
        world.queue.redis().call(check).await.unwrap();
        world.tick().await;
    }
    assert_eq!(world.receiver.sizes(), [2, 2], "they were brought back, and sent again");
    let keys = |seen: &receiver::Seen| -> HashSet<String> {
        let jobs = seen.body["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["idempotencyKey"].to_string()).collect()
    };
    let seen = world.receiver.seen();
    assert_eq!(keys(&seen[0]), keys(&seen[1]), "no attempt was counted");
}

#[tokio::test]
async fn a_202_counts_whatever_its_body_is() {
    let world = World::new("202-html", &["a"], |_| {
        Reply::Answer(202, "content-type: text/html; charset=utf-8\r\n", "Accepted".to_owned())
    })
    .await;
    let report = world.tick().await;
    assert_eq!((world.jobs().await, report.kept), (vec![(State::Active, 0)], 1), "{report:?}");
}

#[tokio::test]
async fn data_that_is_no_json_and_ids_that_are_no_text_have_an_end() {
    let world = World::new("odd", &[], |request| all(request, "completed")).await;
    let opts = JobOptions { attempts: 3, ..JobOptions::default() };
    let torn = NewJob { name: "job".to_owned(), data: "{}".to_owned(), opts, ..NewJob::default() };
    let id = world.queue.enqueue(&[torn]).await.unwrap().remove(0).id;
    let redis = world.queue.redis();
    let base = "bull:forward-odd:";
    let tear = Command::new("HSET").arg(format!("{base}{id}")).arg("data").arg("{torn");
    redis.call(tear).await.unwrap();
    let odd = [b"\xff\xfe".as_slice()].concat();
    let key = [base.as_bytes(), &odd].concat();
    redis.call(Command::new("HSET").arg(key.clone()).arg("name").arg("x")).await.unwrap();
    redis.call(Command::new("LPUSH").arg(format!("{base}wait")).arg(odd)).await.unwrap();
    let report = world.tick().await;
    assert_eq!((report.completed, report.failed), (1, 1), "{report:?}");
    let seen = world.receiver.seen().remove(0);
    assert_eq!(seen.words(), ["{torn"]);
    assert_eq!(seen.body["jobs"][0]["dataIsJson"], false);
    let reason = redis.call(Command::new("HGET").arg(key).arg("failedReason")).await.unwrap();
    assert!(reason.as_str().unwrap().contains("not UTF-8"), "{reason:?}");
}
