//! What a tick does with its jobs.

use std::collections::HashMap;
use std::time::Duration;

use shared::engine::{StoppedBecause, Stopper};
use shared::queue::{ClaimRequest, JobOptions, NewJob};
use shared::recompute::recompute_job;
use shared::redis::Command;
use tokio::time::Instant;

use super::world::{World, config, data, recompute};

#[tokio::test]
async fn old_snapshots_of_scored_projects_go_when_asked_to() {
    let mut world = World::new().await;
    let projects = world.numbered(3).await;
    for (kept, left) in [("all", 2), ("newest:1", 1)] {
        world.set("SNAPSHOT_RETENTION", kept);
        for _ in 0..2 {
            world.enqueue(&projects[..2]).await;
            assert_eq!(world.tick().await.completed, 2);
        }
        let snapshots = world.snapshots().await;
        assert!(projects[..2].iter().all(|id| snapshots[id] == left), "{kept}: {snapshots:?}");
    }
}

#[tokio::test]
async fn jobs_of_one_project_share_its_score_and_have_a_row_each() {
    let world = World::new().await;
    let projects = world.numbered(2).await;
    let plain = |id: &String| NewJob {
        opts: JobOptions::default(),
        ..recompute_job(&data(id), world.queue.options())
    };
    let jobs = [plain(&projects[0]), plain(&projects[0]), plain(&projects[1])];
    let added = world.queue.enqueue(&jobs).await.unwrap();
    let report = world.tick().await;
    assert_eq!((report.completed, report.counters.get("coalesced"), report.batches), (3, 1, 1));
    assert_eq!(
        world.snapshots().await,
        HashMap::from([("p0000".to_owned(), 2), ("p0001".to_owned(), 1)])
    );
    for job in added {
        let view = world.queue.job(&job.id).await.unwrap().unwrap();
        let value: serde_json::Value = serde_json::from_str(&view.fields["returnvalue"]).unwrap();
        let id = value["snapshotId"].as_str().unwrap();
        let found = world
            .database
            .query_one(
                r#"SELECT "projectId", "overallScore" FROM "DeoScoreSnapshot" WHERE id = $1"#,
                &[&id],
            )
            .await
            .unwrap();
        assert_eq!(found.get::<_, &str>(0), value["projectId"].as_str().unwrap());
        assert_eq!(found.get::<_, i32>(1), 9, "the score of a project without rows");
    }
    let current = world
        .database
        .query_one(r#"SELECT count(*) FROM "Project" WHERE "currentDeoScore" = 9"#, &[])
        .await
        .unwrap();
    assert_eq!(current.get::<_, i64>(0), 2);
}

#[tokio::test]
async fn a_bad_job_fails_alone_and_at_once() {
    let world = World::new().await;
    let good = world.numbered(1).await.remove(0);
    let job =
        |data: String| NewJob { data, ..recompute_job(&self::data("x"), world.queue.options()) };
    let undeduplicated = |mut job: NewJob| {
        job.opts.deduplication = None;
        job
    };
    let long = format!(r#"{{"projectId":"{}"}}"#, "x".repeat(192));
    let jobs: Vec<NewJob> = [
        r#"{"projectId":"nobody"}"#.to_owned(),
        r#"{"projectId":7}"#.to_owned(),
        r#"{"projectId":"nul\u0000"}"#.to_owned(),
        "null".to_owned(),
        long,
        format!(r#"{{"projectId":"{good}","pad":"{}"}}"#, "x".repeat(1_000_000)),
        format!(r#"{{"projectId":"{good}"}}"#),
    ]
    .map(job)
    .map(undeduplicated)
    .into();
    let added = world.queue.enqueue(&jobs).await.unwrap();
    // Somebody wrote what is no JSON at all.
    let broken = format!("engineo:deo_score_queue:{}", added[3].id);
    world.call(Command::new("HSET").arg(broken).arg("data").arg("{")).await;
    let report = world.tick().await;
    assert_eq!((report.completed, report.failed, report.retried), (2, 5, 0), "{report:?}");
    for (job, reason) in added.iter().zip(["Project not found: nobody", "Malformed job data"]) {
        let view = world.queue.job(&job.id).await.unwrap().unwrap();
        assert!(view.fields["failedReason"].starts_with(reason), "{view:?}");
    }
}

#[tokio::test]
async fn ids_without_jobs_do_not_end_a_tick_before_the_jobs_behind_them() {
    for (size, ghosts) in [("1", 3), ("100", 250)] {
        for state in ["wait", "prioritized"] {
            let mut world = World::new().await;
            world.set("QUEUE_BATCH_SIZE", size);
            let projects = world.numbered(2).await;
            world.enqueue(&projects).await;
            let key = format!("engineo:deo_score_queue:{state}");
            let ids = (0..ghosts).map(|i| format!("ghost {i}"));
            let ahead = match state {
                "wait" => ids.fold(Command::new("RPUSH").arg(key), Command::arg),
                _ => ids.fold(Command::new("ZADD").arg(key), |add, id| add.arg("0").arg(id)),
            };
            world.call(ahead).await;
            let report = world.tick().await;
            assert_eq!((report.completed, report.missing), (2, ghosts), "{size}, {state}");
            assert_eq!(report.stopped_because, StoppedBecause::Empty);
            assert_eq!(report.remaining.unwrap().prioritized, 0);
        }
    }
}

#[tokio::test]
async fn more_due_ids_without_jobs_than_a_claim_looks_at_do_not_end_a_tick() {
    let world = World::new().await;
    let projects = world.numbered(1).await;
    let id = world.enqueue(&projects).await.remove(0);
    let key = |state: &str| format!("engineo:deo_score_queue:{state}");
    let ghosts = (0..1500).flat_map(|i| ["4096".to_owned(), format!("ghost {i}")]);
    for command in [
        Command::new("DEL").arg(key("prioritized")),
        ghosts.fold(Command::new("ZADD").arg(key("delayed")), Command::arg),
        Command::new("ZADD").arg(key("delayed")).arg("8192").arg(id),
    ] {
        world.call(command).await;
    }
    let report = world.tick().await;
    assert_eq!(
        (report.completed, report.stopped_because),
        (1, StoppedBecause::Empty),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_tick_that_finds_only_ids_without_jobs_keeps_to_its_time() {
    const GHOSTS: i64 = 50_000;
    let mut world = World::new().await;
    world.set("QUEUE_BATCH_SIZE", "1");
    let key = "engineo:deo_score_queue:wait";
    let push = (0..GHOSTS).fold(Command::new("RPUSH").arg(key), |push, i| push.arg(i.to_string()));
    world.call(push).await;
    let (stopper, stop) = Stopper::new();
    let recompute = recompute(&config(&world.env));
    let tick = recompute.tick_until(Instant::now() + Duration::from_secs(50), &stop);
    let left = async || world.call(Command::new("LLEN").arg(key)).await.as_int().unwrap();
    let begun = async {
        while left().await == GHOSTS {}
        stopper.stop();
    };
    let (report, ()) = tokio::join!(tick, begun);
    assert_eq!(report.stopped_because, StoppedBecause::Deadline);
    assert_eq!(report.missing, GHOSTS as u64 - left().await as u64);
}

#[tokio::test]
async fn a_paused_queue_stops_the_tick() {
    let world = World::new().await;
    let projects = world.numbered(1).await;
    world.enqueue(&projects).await;
    let pause = Command::new("HSET").arg("engineo:deo_score_queue:meta").arg("paused").arg("1");
    world.call(pause).await;
    let report = world.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Paused);
    assert_eq!(report.remaining.unwrap().prioritized, 1);
    assert!(report.oldest_waiting_ms.is_some());
}

#[tokio::test]
async fn a_full_and_a_limited_queue_stop_the_tick_each_by_its_own_name() {
    let world = World::new().await;
    let projects = world.numbered(3).await;
    world.enqueue(&projects).await;
    let meta = async |name: &'static str, words: &[&str]| {
        let command = Command::new(name).arg("engineo:deo_score_queue:meta").args(words.to_vec());
        world.call(command).await;
    };
    world.queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
    meta("HSET", &["concurrency", "1"]).await;
    let full = world.tick().await;
    assert_eq!((full.stopped_because, full.limited_ms), (StoppedBecause::Full, None));
    meta("HDEL", &["concurrency"]).await;
    meta("HSET", &["max", "1", "duration", "60000"]).await;
    let limited = world.tick().await;
    assert_eq!((limited.completed, limited.stopped_because), (1, StoppedBecause::Limited));
    assert!(matches!(limited.limited_ms, Some(1..=60_000)), "{limited:?}");
    meta("HSET", &["paused", "1"]).await;
    meta("HDEL", &["max", "duration"]).await;
    let paused = world.tick().await;
    assert_eq!((paused.stopped_because, paused.limited_ms), (StoppedBecause::Paused, None));
}

/// As with a BullMQ worker: over a failed child at once, over an open one as over any error.
#[tokio::test]
async fn a_job_that_must_not_complete_fails() {
    let mut world = World::new().await;
    // The first batch is settled with a claim behind it, the second without.
    world.set("QUEUE_BATCH_SIZE", "3");
    let projects = world.numbered(5).await;
    let job = |(n, id): (usize, &String)| {
        let mut job = recompute_job(&data(id), world.queue.options());
        job.opts = JobOptions {
            job_id: (n % 2 == 1).then(|| format!("job{n}")),
            attempts: 2,
            priority: n as u32 + 1,
            ..JobOptions::default()
        };
        job
    };
    let jobs: Vec<NewJob> = projects.iter().enumerate().map(job).collect();
    let ids: Vec<String> =
        world.queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect();
    let redis = world.queue.redis();
    for (id, kind) in [(&ids[1], "open"), (&ids[2], "failed"), (&ids[4], "failed")] {
        let base = format!("engineo:deo_score_queue:{id}");
        let command = match kind {
            "open" => Command::new("SADD").arg(format!("{base}:dependencies")),
            _ => Command::new("ZADD").arg(format!("{base}:unsuccessful")).arg("1"),
        };
        redis.call(command.arg("child")).await.unwrap();
    }
    let report = world.tick().await;
    assert_eq!((report.completed, report.retried, report.failed, report.lost), (2, 1, 3, 0));
    assert_eq!(world.counts().await.active, 0);
    let reasons = [
        (&ids[1], "Job {} has pending dependencies. moveToFinished", "2"),
        (
            &ids[2],
            "Cannot complete job {} because it has at least one failed child. moveToFinished",
            "1",
        ),
        (
            &ids[4],
            "Cannot complete job {} because it has at least one failed child. moveToFinished",
            "1",
        ),
    ];
    for (id, reason, made) in reasons {
        let fields = world.queue.job(id).await.unwrap().unwrap().fields;
        assert_eq!(fields["failedReason"], reason.replace("{}", id));
        assert_eq!(fields["atm"], made);
    }
}

/// Wherever an id stands without a job behind it, a tick drops it and counts it.
#[tokio::test]
async fn ids_without_a_job_are_counted_wherever_they_stand() {
    let world = World::new().await;
    let redis = world.queue.redis();
    for [name, key, args] in [
        ["LPUSH", "wait", "waits"],
        ["ZADD", "prioritized", "1 ranks"],
        ["ZADD", "delayed", "4096 fell-due"],
        ["LPUSH", "active", "stalls"],
        ["SADD", "stalled", "stalls"],
    ] {
        let command = Command::new(name).arg(format!("engineo:deo_score_queue:{key}"));
        redis.call(command.args(args.split(' '))).await.unwrap();
    }
    let report = world.tick().await;
    assert_eq!((report.missing, report.claimed, report.recovered), (4, 0, 0));
    let left = world.counts().await;
    assert_eq!((left.wait, left.prioritized, left.delayed, left.active), (0, 0, 0, 0));
    assert_eq!(world.tick().await.missing, 0);
}

#[tokio::test]
async fn a_job_from_before_all_time_is_done_like_any_other() {
    let world = World::new().await;
    let ids = world.enqueue(&world.numbered(2).await).await;
    let key = format!("engineo:deo_score_queue:{}", ids[0]);
    let before = Command::new("HSET").arg(key).arg("timestamp").arg("-1e300");
    world.call(before).await;
    let report = world.tick().await;
    assert_eq!((report.completed, report.oldest_waiting_ms), (2, Some(i64::MAX)));
}
