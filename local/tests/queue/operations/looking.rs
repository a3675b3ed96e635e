//! Jobs by the page, the one that waits longest, and what was finished of late.

use super::*;

#[tokio::test]
async fn pages_show_jobs_in_the_order_in_which_they_will_run_or_have_ended() {
    let b = Bench::new("pages").await;
    b.plain(&["w1", "w2", "w3"]).await;
    b.add("front", JobOptions { lifo: true, ..JobOptions::default() }).await;
    for (id, priority) in [("p9", 9), ("p2", 2), ("p2b", 2)] {
        b.add(id, JobOptions { priority, ..JobOptions::default() }).await;
    }
    b.add("late", delayed(2 * HOUR)).await;
    b.add("soon", delayed(HOUR)).await;
    let page = async |state, skip, count| {
        let jobs = b.queue.jobs(state, skip, count).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(page(State::Wait, 0, 10).await, ["front", "w1", "w2", "w3"]);
    assert_eq!(page(State::Wait, 1, 2).await, ["w1", "w2"]);
    assert_eq!(page(State::Wait, 3, 2).await, ["w3"]);
    assert!(page(State::Wait, 4, 2).await.is_empty());
    assert!(page(State::Wait, 0, 0).await.is_empty());
    assert_eq!(page(State::Prioritized, 0, 10).await, ["p2", "p2b", "p9"]);
    assert_eq!(page(State::Delayed, 0, 10).await, ["soon", "late"]);
    let soon = &b.queue.jobs(State::Delayed, 0, 1).await.unwrap()[0];
    assert_eq!(soon.due, Some(NOW + HOUR as i64));
    assert_eq!(
        b.queue.priorities(5).await.unwrap(),
        [PriorityCount { priority: 2, jobs: 2 }, PriorityCount { priority: 9, jobs: 1 }]
    );
    assert_eq!(b.queue.priorities(1).await.unwrap().len(), 1);

    let ended = async |ids: &[&str], how: Settlement| {
        b.clock.advance(1_000);
        b.plain(ids).await;
        b.end(how).await;
    };
    ended(&[], Settlement::Complete("1".to_owned())).await;
    ended(&["last"], Settlement::Complete("1".to_owned())).await;
    ended(&["bad"], Settlement::Unrecoverable("no\nway".to_owned())).await;
    assert_eq!(page(State::Completed, 0, 1).await, ["last"]);
    let bad = b.queue.jobs(State::Failed, 0, 9).await.unwrap().remove(0);
    assert_eq!(bad.failed_reason.as_deref(), Some("no\nway"));
    assert_eq!((bad.attempts_made, bad.finished_on), (Some(1), Some(NOW + 3_000)));
    assert_eq!(
        b.queue.throughput(5).await.unwrap(),
        Throughput { minutes: 5, completed: 8, failed: 1, counted: Counted::AtLeast }
    );
    b.clock.advance(300_000);
    assert_eq!(b.queue.throughput(5).await.unwrap().completed, 0);
    b.raw(
        "HSET",
        "metrics:completed",
        &["count", "70", "prevTS", &b.clock.now_ms().to_string(), "prevCount", "50"],
    )
    .await;
    b.raw("RPUSH", "metrics:completed:data", &["7", "0"]).await;
    assert_eq!(b.queue.throughput(5).await.unwrap().completed, 27);

    b.raw("RPUSH", "bad:logs", &["one", "two", "three"]).await;
    let logs = b.queue.logs("bad", 1, 1).await.unwrap();
    assert_eq!((logs.lines, logs.total), (vec!["two".to_owned()], 3));
}

#[tokio::test]
async fn the_job_that_waits_longest_is_found_behind_younger_ones() {
    /// When the jobs are added, and with what; what of them all is found, at how many commands.
    type Case = (&'static str, &'static [(i64, u32, bool)], i64, u64);
    let cases: [Case; 7] = [
        ("first come", &[(1, 0, false), (2, 0, false), (3, 0, false)], 1, 4),
        ("alone", &[(4, 0, false)], 4, 3),
        ("in front", &[(2, 0, false), (3, 0, false), (8, 0, true), (9, 0, true)], 2, 5),
        ("one priority", &[(3, 7, false), (5, 7, false)], 3, 3),
        (
            "a starving priority",
            &[(6, 1, false), (7, 1, false), (2, 9, false), (3, 9, false)],
            2,
            5,
        ),
        ("both", &[(5, 0, false), (6, 1, false), (2, 9, false)], 2, 8),
        ("both, and it is plain", &[(1, 0, false), (6, 1, false), (2, 9, false)], 1, 8),
    ];
    for (case, jobs, oldest, commands) in cases {
        let b = Bench::new(&format!("oldest {case}")).await;
        for (added, priority, lifo) in jobs {
            let opts = JobOptions {
                timestamp_ms: Some(NOW + added),
                priority: *priority,
                lifo: *lifo,
                ..JobOptions::default()
            };
            let job = NewJob { name: "n".into(), data: "{}".into(), opts, ..NewJob::default() };
            b.queue.enqueue(&[job]).await.unwrap();
        }
        let queue = b.queue.over(b.queue.redis().metered());
        let among = b.queue.peek().await.unwrap();
        let found = queue.oldest_waiting_ms(among).await.unwrap();
        assert_eq!(found, Some(NOW + oldest), "{case}");
        assert_eq!(queue.redis().usage().billed, commands, "{case}");
        assert!(queue.redis().usage().round_trips <= 3, "{case}");
    }
}

#[tokio::test]
async fn the_job_that_waits_longest_may_stand_at_the_end_or_beside_an_id_without_a_job() {
    let b = Bench::new("oldest-ends").await;
    assert_eq!(b.queue.oldest_waiting_ms(Occupied::ANY).await.unwrap(), None);
    b.raw("RPUSH", "wait", &["ghost"]).await;
    assert_eq!(b.queue.oldest_waiting_ms(Occupied::ANY).await.unwrap(), None);
    for (id, added) in [("old", 1), ("young", 2)] {
        let timestamp_ms = Some(NOW + added);
        b.add(id, JobOptions { timestamp_ms, lifo: true, ..JobOptions::default() }).await;
    }
    b.raw("LREM", "wait", &["0", "ghost"]).await;
    assert_eq!(b.list("wait").await, ["old", "young"]);
    assert_eq!(b.queue.oldest_waiting_ms(Occupied::ANY).await.unwrap(), Some(NOW + 1));
    assert_eq!(b.queue.oldest_waiting_ms(Occupied::default()).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_finished_of_late_counts_removed_jobs_where_there_are_metrics() {
    for (minutes, completed) in [(60, 3), (0, 0)] {
        let url = redis_server().await.url();
        let b = Bench::with(&url, &format!("removed-{minutes}"), |config| {
            config.metrics_minutes = minutes;
        });
        for id in ["a", "b", "c"] {
            let removed = Some(KeepJobs::None);
            b.add(id, JobOptions { remove_on_complete: removed, ..JobOptions::default() }).await;
        }
        b.end(Settlement::Complete("1".to_owned())).await;
        // What a first look has no command left for comes with the second.
        let first = b.queue.overview(None).await.unwrap();
        let overview = b.queue.overview(Some(&first)).await.unwrap();
        assert_eq!(overview.counts.completed.map(|completed| completed.value), Some(0));
        let counted = if minutes > 0 { Counted::Metrics } else { Counted::AtLeast };
        let ended = |minutes| Some(Throughput { minutes, completed, failed: 0, counted });
        assert_eq!((overview.throughput(1), overview.throughput(60)), (ended(1), ended(60)));
        b.clock.advance(600_000);
        let overview = b.queue.overview(Some(&overview)).await.unwrap();
        assert_eq!(overview.throughput(1).unwrap().completed, 0);
        assert_eq!(overview.throughput(60), ended(60));
    }
}

#[tokio::test]
async fn a_page_has_a_bound_whatever_its_jobs_hold() {
    let b = Bench::new("bounded pages").await;
    b.plain(&["big", "small", "odd"]).await;
    let long = "x".repeat(1_000_000);
    b.raw("HSET", "big", &["data", &long, "failedReason", &long, "name", &long]).await;
    b.raw("DEL", "odd", &[]).await;
    b.raw("SET", "odd", &["somebody else's"]).await;
    let [big, small, odd] =
        <[_; 3]>::try_from(b.queue.jobs(State::Wait, 0, 9).await.unwrap()).unwrap();
    assert_eq!((big.id.as_str(), big.data), ("big", None));
    assert_eq!(big.failed_reason.map(|reason| reason.len()), Some(2_000));
    assert_eq!(big.name.map(|name| name.len()), Some(2_000));
    assert!(small.data.is_some() && small.timestamp.is_some());
    assert_eq!((odd.id.as_str(), odd.name, odd.timestamp), ("odd", None, None));
}
