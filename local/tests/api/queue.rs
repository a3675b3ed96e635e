//! Jobs, and the queue as a whole.

use serde_json::{Value, json};
use shared::queue::{JobOptions, NewJob, Settlement};
use shared::redis::Command;

use crate::world::{World, assert_error};

#[tokio::test]
async fn a_job_is_followed_from_waiting_to_its_end() {
    let world = World::start().await;
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    let waiting = json!({
        "id": "1",
        "state": "waiting",
        "projectId": "p1",
        "timestamp": null,
        "attemptsMade": 0,
        "attempts": 3,
        "processedOn": null,
        "finishedOn": null,
        "failedReason": null,
        "stacktrace": [],
        "returnvalue": null,
    });
    let mut job = world.get("owner", "/jobs/1").await.json();
    let added = job["timestamp"].take();
    assert_eq!(job, waiting);

    let claim = world.claim().await;
    let active = world.get("owner", "/jobs/1").await.json();
    assert_eq!((&active["state"], &active["attemptsMade"]), (&json!("active"), &json!(0)));
    assert!(added.as_i64().unwrap() > 1_700_000_000_000);
    assert!(active["processedOn"].as_i64() >= added.as_i64());

    let result = json!({"projectId": "p1", "snapshotId": "s1"});
    world.settle(claim, Settlement::Complete(result.to_string())).await;
    let completed = world.get("owner", "/jobs/1").await.json();
    assert_eq!(completed["state"], "completed");
    assert_eq!(completed["attemptsMade"], 1);
    assert_eq!(completed["returnvalue"], result);
    assert!(completed["finishedOn"].as_i64() >= completed["processedOn"].as_i64());

    world.post("owner", "/projects/p2/deo-score/recompute", "").await;
    let claim = world.claim().await;
    world.settle(claim, Settlement::Unrecoverable("no reason".to_owned())).await;
    let failed = world.get("owner", "/jobs/2").await.json();
    assert_eq!(
        (&failed["state"], &failed["failedReason"]),
        (&json!("failed"), &json!("no reason"))
    );
    assert_eq!(failed["stacktrace"], json!(["Error: no reason"]));
    // What a peer has left there may be long.
    let stacks: Vec<String> = (0..12).map(|n| format!("{n} {}", "é".repeat(20_000))).collect();
    let key = format!("{}:{}:2", world.config.queue.prefix, world.config.queue.name);
    let long = Command::new("HSET").arg(key).arg("stacktrace").arg(json!(stacks).to_string());
    world.redis().call(long.arg("opts").arg("{}")).await.unwrap();
    let failed = world.get("owner", "/jobs/2").await.json();
    assert_eq!(failed["attempts"], 1);
    let shown = failed["stacktrace"].as_array().unwrap();
    assert_eq!(shown.len(), 10);
    assert_eq!(shown[9].as_str().unwrap(), stacks[11].chars().take(10_000).collect::<String>());
}

#[tokio::test]
async fn a_job_is_for_those_who_may_read_its_project() {
    let world = World::start().await;
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    let answer = world.get("other", "/jobs/1").await;
    let message = "You do not have access to this project";
    assert_error(&answer, 403, "ForbiddenException", message, "/jobs/1");
    assert_eq!(world.get("admin", "/jobs/1").await.status, 403);
    world.database.execute(r#"DELETE FROM "Project" WHERE id = 'p1'"#, &[]).await.unwrap();
    let answer = world.get("owner", "/jobs/1").await;
    assert_error(&answer, 404, "NotFoundException", "Project not found", "/jobs/1");
    // What is left of a project, somebody has to be able to look at.
    let answer = world.get("admin", "/jobs/1").await;
    assert_eq!((answer.status, &answer.json()["projectId"]), (200, &json!("p1")));
    assert_eq!(world.get("nobody", "/jobs/1").await.status, 401);
}

#[tokio::test]
async fn what_is_no_job_is_not_found() {
    let world = World::start().await;
    let queue = world.queue();
    world.post("owner", "/projects/p1/deo-score/recompute", "").await;
    for data in ["{}", "[]", r#"{"projectId": 7}"#, "null"] {
        let job = NewJob { name: "foreign".into(), data: data.into(), ..NewJob::default() };
        queue.enqueue(&[job]).await.unwrap();
    }
    // Hashes that are no jobs, though they hold a job's data.
    let base = format!("{}:{}", world.config.queue.prefix, world.config.queue.name);
    for name in ["dn:x", "repeat:s1"] {
        let record = Command::new("HSET").arg(format!("{base}:{name}")).arg("name").arg("n");
        let record = record.arg("data").arg(r#"{"projectId":"p1"}"#);
        world.redis().call(record).await.unwrap();
    }
    let keys = ["meta", "id", "wait", "de:p1", "1:lock", "dn:x", "repeat:s1", "batchmq:heartbeat"];
    for id in keys.into_iter().chain(["99", "2", "3", "4", "5", "1/../2", "%20"]) {
        let path = format!("/jobs/{}", id.replace('/', "%2F"));
        let answer = world.get("owner", &path).await;
        assert_error(&answer, 404, "NotFoundException", "Job not found", &path);
    }
}

#[tokio::test]
async fn a_job_of_another_producer_needs_no_more_than_its_project() {
    let world = World::start().await;
    let data = json!({"projectId": "p1"}).to_string();
    let job = NewJob { name: "deo_score_recompute".into(), data, ..NewJob::default() };
    world.queue().enqueue(&[job]).await.unwrap();
    assert_eq!(world.get("owner", "/jobs/1").await.json()["projectId"], "p1");
}

#[tokio::test]
async fn administrators_see_the_queue() {
    let mut world = World::start().await;
    let empty = world.get("admin", "/queue").await.json();
    assert_eq!((&empty["oldestWaitingMs"], &empty["paused"]), (&Value::Null, &json!(false)));
    for (project, reason) in [("p1", "manual"), ("p2", "manual"), ("p3", "scheduled")] {
        let body = json!({"reason": reason}).to_string();
        world.post("owner", &format!("/projects/{project}/deo-score/recompute"), &body).await;
    }
    let claim = world.claim().await;
    world.settle(claim, Settlement::Complete("null".to_owned())).await;
    let meta = format!("{}:{}:meta", world.config.queue.prefix, world.config.queue.name);
    let pause = Command::new("HSET").arg(meta).arg("paused").arg("1");
    world.redis().call(pause).await.unwrap();
    world.serve_anew().await;

    let mut body = world.get("admin", "/queue").await.json();
    let oldest = body["oldestWaitingMs"].take();
    assert!((0..60_000).contains(&oldest.as_i64().unwrap()), "{oldest}");
    let at = body["at"].take().as_i64().unwrap();
    assert!((shared::clock::Clock::System.now_ms() - at).abs() < 60_000, "{at}");
    // What ended is not asked for in a first look at a queue that has as much else to tell.
    let finished = json!({"completed": 0, "failed": 0, "counted": "atleast"});
    assert_eq!(
        body,
        json!({
            "name": "deo_score_queue",
            "at": null,
            "paused": true,
            "counts": {
                "waiting": 1,
                "prioritized": 1,
                "delayed": 0,
                "active": 0,
                "waiting-children": 0,
                "completed": 1,
                "failed": 0,
            },
            "oldestWaitingMs": null,
            "held": {"because": "paused"},
            "limits": {"concurrency": null, "rate": null, "used": 0, "leftMs": null},
            "throughput": {"lastMinute": finished, "lastHour": finished},
            "schedules": [],
            "operations": false,
        }),
    );
}

#[tokio::test]
async fn administrators_see_the_drains_newest_ticks_and_that_it_lives() {
    let mut world = World::start().await;
    assert_eq!(world.get("", "/health?deep=1").await.json()["drain"], json!({"lastSeenMs": null}));
    assert_eq!(world.get("admin", "/queue").await.json().get("drain"), None);
    let queue = world.queue();
    let report = json!({"claimed": 3, "completed": 2, "failed": 1, "stoppedBecause": "error",
        "durationMs": 12, "billedCommands": 34, "error": "no database", "later": "version"});
    for report in ["not JSON".to_owned(), report.to_string()] {
        queue.beat(&report).await.unwrap();
    }
    world.serve_anew().await;
    let mut drain = world.get("admin", "/queue").await.json()["drain"].take();
    let seen = drain["lastSeenMs"].take();
    assert!((0..60_000).contains(&seen.as_i64().unwrap()), "{seen}");
    let at = drain["ticks"][0]["at"].take();
    assert!((shared::clock::Clock::System.now_ms() - at.as_i64().unwrap()).abs() < 60_000, "{at}");
    assert_eq!(
        drain,
        json!({"lastSeenMs": null, "ticks": [{
            "at": null, "durationMs": 12, "claimed": 3, "completed": 2, "failed": 1, "retried": 0,
            "released": 0, "billedCommands": 34, "stoppedBecause": "error", "error": "no database",
        }]}),
    );
    let health = world.get("", "/health?deep=1").await.json();
    assert!(health["drain"]["lastSeenMs"].as_i64().is_some_and(|ms| ms < 60_000), "{health}");
}

/// Every word by which a tick says why it stopped is one that the description knows.
#[tokio::test]
async fn every_reason_to_stop_is_described() {
    let mut world = World::start().await;
    let description = world.get("", "/openapi.json").await.json();
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let known = schemas.values().find_map(|schema| {
        schema.pointer("/properties/stoppedBecause/enum").and_then(|words| words.as_array())
    });
    let known = known.unwrap();
    for reason in shared::engine::StoppedBecause::ALL {
        world.queue().beat(&json!({"stoppedBecause": reason}).to_string()).await.unwrap();
        world.serve_anew().await;
        let drain = world.get("admin", "/queue").await.json()["drain"].take();
        assert_eq!(drain["ticks"][0]["stoppedBecause"], json!(reason));
        assert!(known.contains(&json!(reason)), "{reason:?}");
    }
}

#[tokio::test]
async fn a_job_may_have_waited_for_ever() {
    let world = World::start().await;
    let opts = JobOptions { timestamp_ms: Some(i64::MIN), ..JobOptions::default() };
    let job = NewJob { name: "n".into(), data: "{}".into(), opts, ..NewJob::default() };
    world.queue().enqueue(&[job]).await.unwrap();
    let queue = world.get("admin", "/queue").await;
    assert_eq!((queue.status, queue.json()["oldestWaitingMs"].as_i64()), (200, Some(i64::MAX)));
}

#[tokio::test]
async fn the_users_row_says_who_is_an_administrator() {
    let world = World::start().await;
    let answer = world.get("owner", "/queue").await;
    assert_error(&answer, 403, "ForbiddenException", "Forbidden resource", "/queue");
    world
        .database
        .execute(r#"UPDATE "User" SET role = 'USER' WHERE id = 'admin'"#, &[])
        .await
        .unwrap();
    assert_eq!(world.get("admin", "/queue").await.status, 403);
}
