//! Claiming: who gets what, and when nobody does.

use super::*;

#[tokio::test]
async fn jobs_come_out_in_their_order() {
    let b = Bench::new("order").await;
    let with = |priority, lifo| JobOptions { priority, lifo, ..JobOptions::default() };
    let low = b.add(with(9, false)).await.id;
    let first = b.add(with(0, false)).await.id;
    let second = b.add(with(0, false)).await.id;
    let high = b.add(with(1, false)).await.id;
    let front = b.add(with(0, true)).await.id;
    assert_eq!(ids(&b.claim().await), [front, first, second, high, low]);
}

#[tokio::test]
async fn every_claim_has_a_token_of_its_own_and_only_it_settles() {
    let b = Bench::new("tokens").await;
    b.add_plain(1).await;
    let stale = b.claim().await;
    b.raw("DEL", "1:lock", &[]).await;
    for _ in 0..2 {
        b.queue.recover().await.unwrap();
        b.raw("DEL", "stalled-check", &[]).await;
    }
    let fresh = b.claim().await;
    assert_ne!(stale.token, fresh.token);
    assert_eq!(b.settle(stale, done()).await, [Code::Refused(-6)]);
    assert_eq!(b.state("1").await, Some(State::Active));
    assert_eq!(b.settle(fresh.clone(), done()).await, [Code::Completed]);
    assert_eq!(b.settle(fresh, done()).await, [Code::Refused(-2)]);
}

#[tokio::test]
async fn renewed_locks_hold_and_lost_ones_are_told() {
    let b = Bench::new("renew").await;
    b.add_plain(3).await;
    let claim = b.claim().await;
    let locks = ["1:lock", "2:lock", "3:lock"];
    for lock in locks {
        b.raw("PEXPIRE", lock, &["500"]).await;
    }
    b.raw("SADD", "stalled", &["1", "2", "3"]).await;
    b.raw("DEL", "2:lock", &[]).await;
    b.raw("SET", "3:lock", &["somebody else's"]).await;
    let lost = b.queue.renew(&claim.token, &ids(&claim)).await.unwrap();
    assert_eq!(lost, ["2", "3"]);
    let left = b.raw("PTTL", "1:lock", &[]).await.as_int().unwrap();
    assert!(left > 10_000, "{left}");
    assert_eq!(b.raw("EXISTS", "2:lock", &[]).await, Value::Int(0));
    assert_eq!(b.raw("GET", "3:lock", &[]).await.as_str(), Some("somebody else's"));
    assert_eq!(b.raw("SISMEMBER", "stalled", &["1"]).await, Value::Int(0));
    assert_eq!(b.raw("SCARD", "stalled", &[]).await, Value::Int(2));
}

#[tokio::test]
async fn a_paused_queue_is_left_alone_and_keeps_one_list() {
    let b = Bench::new("paused").await;
    b.raw("HSET", "meta", &["version", "bullmq:5.81.5", "paused", "1"]).await;
    b.add_plain(2).await;
    assert_eq!(b.list("paused").await.len(), 2);
    assert_eq!(b.claim().await.status, ClaimStatus::Paused);
    b.raw("RENAME", "paused", &[&format!("{}wait", b.base)]).await;
    b.add_plain(1).await;
    assert_eq!((b.list("wait").await.len(), b.list("paused").await.len()), (3, 0));
    assert_eq!(b.raw("EXISTS", "marker", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn the_queues_own_limits_hold() {
    let b = Bench::new("limits").await;
    b.add_plain(9).await;
    b.raw("HSET", "meta", &["concurrency", "2"]).await;
    let two = b.claim().await;
    assert_eq!(two.jobs.len(), 2);
    assert_eq!(b.claim().await.status, ClaimStatus::Full);
    let jobs: Vec<_> = two.jobs.into_iter().map(|job| (job, done())).collect();
    let (_, next) = b.queue.settle_and_claim(&two.token, &jobs, ALL).await.unwrap();
    assert_eq!(next.jobs.len(), 2);
    b.settle(next, done()).await;
    b.raw("HSET", "meta", &["concurrency", "50", "max", "3", "duration", "60000"]).await;
    assert_eq!(b.claim().await.jobs.len(), 3);
    assert!(matches!(b.claim().await.status, ClaimStatus::Limited { wait_ms: 1..=60_000 }));
}

#[tokio::test]
async fn a_limit_of_ours_holds_where_the_queue_has_none() {
    let ours = |max| Limiter { max: Some(max), duration: Duration::from_secs(60) };
    let url = redis_server().await.url();
    let b = Bench::on(&url, "limiter", |config| config.limiter = ours(3));
    b.add_plain(12).await;
    let claim = b.claim().await;
    assert_eq!(claim.jobs.len(), 3);
    // Two limiters on one queue count together.
    let other = Bench::on(&url, "limiter", |config| config.limiter = ours(5));
    assert_eq!(other.claim().await.jobs.len(), 2);
    let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
    let (_, next) = b.queue.settle_and_claim(&claim.token, &jobs, ALL).await.unwrap();
    assert!(matches!(next.status, ClaimStatus::Limited { wait_ms: 1..=60_000 }), "{next:?}");
    // Whoever has no limit is not held back, unless the queue itself has one.
    let free = Bench::on(&url, "limiter", |_| {});
    assert_eq!(free.queue.claim(ClaimRequest::everywhere(1)).await.unwrap().jobs.len(), 1);
    b.raw("HSET", "meta", &["max", "7", "duration", "60000"]).await;
    assert_eq!(b.claim().await.jobs.len(), 2, "the queue's limit goes before ours");
}

#[tokio::test]
async fn a_claim_that_gives_nothing_tells_the_limit_that_holds() {
    let url = redis_server().await.url();
    let b = Bench::on(&url, "told limits", |_| {});
    let duration = Duration::from_millis(70_000);
    let own = Bench::on(&url, "told limits", |config| {
        config.limiter = Limiter { max: Some(4), duration };
    });
    b.add_plain(9).await;
    b.raw("HSET", "meta", &["concurrency", "2"]).await;
    let two = b.claim().await;
    assert_eq!(two.hold, None);
    let full = |concurrency, active| {
        Some(Hold::Full { concurrency: Some(concurrency), active, left_ms: None })
    };
    assert_eq!(b.claim().await.hold, full(2, 2));
    b.raw("HSET", "meta", &["concurrency", "1"]).await;
    assert_eq!(b.claim().await.hold, full(1, 2));
    // What a settlement claims is told alike.
    let jobs = vec![(two.jobs[0].clone(), done())];
    let (_, next) = b.queue.settle_and_claim(&two.token, &jobs, ALL).await.unwrap();
    assert_eq!(next.hold, full(1, 1));
    b.raw("HDEL", "meta", &["concurrency"]).await;
    b.raw("SET", "limiter", &["9", "PX", "60000"]).await;
    let limited = async |b: &Bench| match b.claim().await.hold {
        Some(Hold::Limited { max, duration_ms, left_ms: 1..=60_000 }) => (max, duration_ms),
        other => panic!("{other:?}"),
    };
    assert_eq!(limited(&own).await, (Some(4), Some(70_000)));
    // As in BullMQ: how many the queue says, and within what time the worker, if it has a limit.
    b.raw("HSET", "meta", &["max", "3", "duration", "90000"]).await;
    assert_eq!(limited(&b).await, (Some(3), Some(90_000)));
    assert_eq!(limited(&own).await, (Some(3), Some(70_000)));
    let shown = own.queue.hold(&own.queue.limits().await.unwrap(), true).await.unwrap();
    let Some(Hold::Limited { max: Some(3), duration_ms: Some(70_000), .. }) = shown else {
        panic!("{shown:?}")
    };
    b.queue.pause().await.unwrap();
    assert_eq!(b.claim().await.hold, Some(Hold::Paused));
}

#[tokio::test]
async fn an_id_without_a_job_is_dropped_and_told() {
    let b = Bench::new("missing").await;
    b.raw("LPUSH", "wait", &["ghost"]).await;
    let real = b.add_plain(1).await;
    let claim = b.claim().await;
    assert_eq!((claim.missing.clone(), ids(&claim)), (vec!["ghost".to_owned()], real));
    assert_eq!(b.list("active").await.len(), 1);
    assert_eq!(b.raw("EXISTS", "ghost", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn a_claim_of_ids_without_jobs_leaves_a_marker_for_the_jobs_behind_them() {
    for (case, behind) in [("wait", 0), ("prioritized", 5)] {
        let b = Bench::new(&format!("behind-{case}")).await;
        let real = b.add(JobOptions { priority: behind, ..JobOptions::default() }).await.id;
        b.raw("RPUSH", "wait", &["ghost 3", "ghost 2", "ghost 1"]).await;
        let woken = async || b.queue.wait_for_work(Duration::from_millis(1)).await.unwrap();
        for ghost in ["ghost 1", "ghost 2", "ghost 3"] {
            assert_eq!(woken().await, Waited::Work, "{case}: {ghost}");
            let claim = b.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
            assert_eq!((claim.missing.clone(), ids(&claim)), (vec![ghost.to_owned()], vec![]));
        }
        assert_eq!(woken().await, Waited::Work, "{case}");
        assert_eq!(ids(&b.claim().await), [real]);
    }
}

#[tokio::test]
async fn a_batch_after_which_only_ids_without_jobs_come_leaves_a_marker_too() {
    for delayed in [false, true] {
        let b = Bench::new(&format!("behind-batch-{delayed}")).await;
        b.add_plain(2).await;
        let one = ClaimRequest { count: 1, delayed, ..ALL };
        let claim = b.queue.claim(one).await.unwrap();
        b.raw("RPUSH", "wait", &["ghost"]).await;
        b.raw("DEL", "marker", &[]).await;
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
        let (_, next) = b.queue.settle_and_claim(&claim.token, &jobs, one).await.unwrap();
        assert_eq!((next.missing.len(), next.jobs.len()), (1, 0));
        assert_eq!(b.raw("ZSCORE", "marker", &["0"]).await.as_str(), Some("0"));
    }
}

#[tokio::test]
async fn where_nothing_waits_behind_ids_without_jobs_no_marker_is_left() {
    let b = Bench::new("behind-nothing").await;
    b.raw("RPUSH", "wait", &["ghost"]).await;
    assert_eq!(b.claim().await.missing, ["ghost"]);
    assert_eq!(b.raw("EXISTS", "marker", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn peek_names_exactly_the_states_that_hold_jobs_for_one_command() {
    let b = Bench::new("peek").await;
    let queue = b.queue.over(b.queue.redis().metered());
    assert!(queue.peek().await.unwrap().is_empty());
    assert_eq!(queue.redis().usage().billed, 1);
    b.add(JobOptions { priority: 1, ..JobOptions::default() }).await;
    b.add(JobOptions { delay_ms: 9, ..JobOptions::default() }).await;
    let occupied = queue.peek().await.unwrap();
    assert!(occupied.prioritized && occupied.delayed);
    assert!(!occupied.wait && !occupied.paused && !occupied.active);
    b.claim().await;
    let occupied = queue.peek().await.unwrap();
    assert!(occupied.active && occupied.delayed && !occupied.prioritized);
}

#[tokio::test]
async fn many_claimers_never_share_a_job() {
    let b = Bench::new("race").await;
    b.add_plain(500).await;
    let url = redis_server().await.url();
    let claimers: Vec<_> = (0..5)
        .map(|_| {
            let b = Bench::on(&url, "race", |_| {});
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let claim = b.queue.claim(ClaimRequest { count: 7, ..ALL }).await.unwrap();
                    if claim.jobs.is_empty() {
                        return mine;
                    }
                    mine.extend(ids(&claim));
                    b.settle(claim, done()).await;
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), 500);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 500);
    assert_eq!(b.queue.counts().await.unwrap().completed, 500);
}

/// Markers of BullMQ before version 5 are no jobs, and hide none.
#[tokio::test]
async fn old_markers_are_dropped() {
    let b = Bench::new("old-markers").await;
    b.add_plain(3).await;
    b.raw("RPUSH", "wait", &["0:1", "0:0"]).await;
    let two = ClaimRequest { count: 2, ..ALL };
    let claim = b.queue.claim(two).await.unwrap();
    assert_eq!((ids(&claim), claim.missing.len()), (vec!["1".to_owned(), "2".to_owned()], 0));
    let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
    b.raw("RPUSH", "wait", &["0:1"]).await;
    let one = ClaimRequest { count: 1, delayed: false, ..ALL };
    let (_, next) = b.queue.settle_and_claim(&claim.token, &jobs, one).await.unwrap();
    assert_eq!(ids(&next), ["3"]);
    b.raw("LPUSH", "active", &["0:5"]).await;
    b.raw("SADD", "stalled", &["0:5"]).await;
    assert_eq!(b.queue.recover().await.unwrap().ids, [""; 0]);
    assert_eq!(b.list("active").await, ["3"]);
    assert_eq!(b.list("wait").await, [""; 0]);
    assert_eq!(b.raw("EXISTS", "0:5", &[]).await, Value::Int(0));
}
