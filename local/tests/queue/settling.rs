//! Settling and recovering: how jobs end, and what becomes of those that do not.

use super::*;

#[tokio::test]
async fn a_job_that_was_taken_out_of_active_is_refused_alone() {
    let b = Bench::new("refuse-alone").await;
    b.add_plain(3).await;
    let claim = b.claim().await;
    b.raw("LREM", "active", &["1", "2"]).await;
    b.raw("SADD", "3:dependencies", &["child"]).await;
    let codes = b.settle(claim, done()).await;
    assert_eq!(codes, [Code::Completed, Code::Refused(-3), Code::Refused(-4)]);
    assert_eq!(b.raw("EXISTS", "3:lock", &[]).await, Value::Int(1));
}

#[tokio::test]
async fn a_handler_may_say_itself_when_its_job_is_tried_again() {
    let b = Bench::new("retry-after").await;
    let backoff = shared::queue::Backoff::Fixed { delay_ms: 1_000, jitter: None };
    let opts = JobOptions { attempts: 3, backoff: Some(backoff), ..JobOptions::default() };
    let id = b.add(opts).await.id;
    let later = |ms| Settlement::RetryAfter {
        reason: "429".to_owned(),
        wait: std::time::Duration::from_millis(ms),
    };
    assert_eq!(b.settle(b.claim().await, later(90_000)).await, [Code::Retried]);
    assert_eq!(b.queue.next_due_ms().await.unwrap(), Some(b.clock.now_ms() + 90_000));
    assert_eq!(b.field(&id, "atm").await.as_deref(), Some("1"), "it counts");
    assert_eq!(b.field(&id, "failedReason").await.as_deref(), Some("429"));
    b.clock.advance(90_000);
    assert_eq!(b.settle(b.claim().await, later(0)).await, [Code::Retried]);
    assert_eq!(b.state(&id).await, Some(State::Wait), "at once");
    assert_eq!(b.settle(b.claim().await, later(90_000)).await, [Code::Failed], "none is left");
    assert_eq!(b.state(&id).await, Some(State::Failed));
}

#[tokio::test]
async fn a_failed_attempt_waits_for_its_backoff_and_the_last_one_fails() {
    let b = Bench::new("retry").await;
    let backoff = shared::queue::Backoff::Exponential { delay_ms: 1_000, jitter: None };
    let opts = JobOptions { attempts: 3, backoff: Some(backoff), ..JobOptions::default() };
    let id = b.add(opts).await.id;
    for delay in [1_000, 2_000] {
        let codes = b.settle(b.claim().await, Settlement::Failed("no luck".to_owned())).await;
        assert_eq!(codes, [Code::Retried]);
        assert_eq!(b.queue.next_due_ms().await.unwrap(), Some(b.clock.now_ms() + delay));
        b.clock.advance(delay - 1);
        let early = b.claim().await;
        assert_eq!(early.status, ClaimStatus::Empty { next_due_ms: Some(b.clock.now_ms() + 1) });
        b.clock.advance(1);
    }
    let codes = b.settle(b.claim().await, Settlement::Failed("no luck".to_owned())).await;
    assert_eq!(codes, [Code::Failed]);
    assert_eq!(b.state(&id).await, Some(State::Failed));
    assert_eq!(b.field(&id, "atm").await.as_deref(), Some("3"));
    let trace: Vec<String> =
        serde_json::from_str(&b.field(&id, "stacktrace").await.unwrap()).unwrap();
    assert_eq!(trace.len(), 3);
}

#[tokio::test]
async fn released_jobs_go_back_in_front_in_their_order_at_no_cost() {
    let b = Bench::new("release").await;
    b.add_plain(3).await;
    let claim = b.queue.claim(ClaimRequest { count: 2, ..ALL }).await.unwrap();
    assert_eq!(b.settle(claim, Settlement::Release).await, [Code::Released; 2]);
    assert_eq!(ids(&b.claim().await), ["1", "2", "3"]);
    assert_eq!(b.field("1", "atm").await, None);
}

#[tokio::test]
async fn stalled_jobs_come_back_after_two_passes_and_are_failed_after_three_recoveries() {
    let b = Bench::new("stalled").await;
    let id = b.add_plain(1).await.remove(0);
    for round in 1..=4 {
        b.claim().await;
        b.raw("DEL", &format!("{id}:lock"), &[]).await;
        b.raw("DEL", "stalled-check", &[]).await;
        assert_eq!(b.queue.recover().await.unwrap().ids, [""; 0], "the first pass only notes");
        let again = b.queue.recover().await.unwrap();
        assert!(again.ids.is_empty(), "one pass an interval");
        b.raw("DEL", "stalled-check", &[]).await;
        let recovered = b.queue.recover().await.unwrap();
        assert_eq!(recovered.ids, std::slice::from_ref(&id));
        assert_eq!(recovered.doomed.len(), usize::from(round == 4));
    }
    let doomed = b.claim().await.jobs.remove(0);
    assert_eq!(doomed.deferred_failure.as_deref(), Some("job stalled more than allowable limit"));
    assert_eq!(doomed.stalled, 4);
}

/// A queue that was full has room again for what comes back: a worker that sleeps is told.
#[tokio::test]
async fn what_stalled_at_the_limit_wakes_a_worker() {
    for (limit, held, woken) in [("1", 0, true), ("3", 2, true), ("2", 2, false)] {
        let b = Bench::new(&format!("stalled-at-{limit}")).await;
        b.add_plain(held + 1).await;
        b.claim().await;
        b.raw("HSET", "meta", &["concurrency", limit]).await;
        b.raw("DEL", "marker", &[]).await;
        b.raw("DEL", "1:lock", &[]).await;
        b.raw("SADD", "stalled", &["1"]).await;
        assert_eq!(b.queue.recover().await.unwrap().ids, ["1"]);
        let waited = b.queue.wait_for_work(Duration::from_millis(1)).await.unwrap();
        assert_eq!(waited == Waited::Work, woken, "{limit}");
    }
}

/// BullMQ's producers may give fractions, of seconds, milliseconds and tries.
#[tokio::test]
async fn fractions_are_kept() {
    let b = Bench::new("fractions").await;
    let cases = [
        (r#"{"attempts":2,"backoff":100.1}"#, "100.1"),
        (r#"{"attempts":2,"backoff":{"type":"fixed","delay":0.5}}"#, "0.5"),
        (r#"{"attempts":1.5,"backoff":{"type":"exponential","delay":1500.7}}"#, "1501"),
        (r#"{"attempts":2,"backoff":{"type":"exponential","delay":0.6}}"#, "1"),
    ];
    for (opts, delay) in cases {
        let id = b.add_plain(1).await.remove(0);
        b.raw("HSET", &id, &["opts", opts]).await;
        let codes = b.settle(b.claim().await, Settlement::Failed("no luck".to_owned())).await;
        assert_eq!(codes, [Code::Retried], "{opts}");
        assert_eq!(b.field(&id, "delay").await.as_deref(), Some(delay), "{opts}");
        let score = b.raw("ZSCORE", "delayed", &[&id]).await;
        let score: f64 = score.as_str().unwrap().parse().unwrap();
        assert_eq!(score, (NOW as f64 + delay.parse::<f64>().unwrap()) * 4096.0, "{opts}");
        b.raw("DEL", "delayed", &[]).await;
    }
    for (waited, left) in [(0, 1), (1_499, 2), (1, 2)] {
        b.clock.advance(waited);
        let id = b.add_plain(1).await.remove(0);
        b.raw("HSET", &id, &["opts", r#"{"removeOnComplete":{"age":1.5}}"#]).await;
        b.settle(b.claim().await, done()).await;
        assert_eq!(b.queue.counts().await.unwrap().completed, left, "{waited}");
    }
}

/// An old producer's `attemptsMade` decides whether a job is tried again, and `atm` counts on.
#[tokio::test]
async fn an_old_count_of_attempts_decides_and_stays() {
    let b = Bench::new("old-count").await;
    for (made, counted, code) in [("2", None, Code::Retried), ("4", Some("1"), Code::Failed)] {
        let id = b.add(JobOptions { attempts: 5, ..JobOptions::default() }).await.id;
        b.raw("HSET", &id, &["attemptsMade", made]).await;
        if let Some(counted) = counted {
            b.raw("HSET", &id, &["atm", counted]).await;
        }
        let codes = b.settle(b.claim().await, Settlement::Failed("no luck".to_owned())).await;
        assert_eq!(codes, [code], "{made}");
        let after = if counted.is_some() { "2" } else { "1" };
        assert_eq!(b.field(&id, "atm").await.as_deref(), Some(after), "{made}");
        b.raw("DEL", "wait", &[]).await;
    }
}

#[tokio::test]
async fn retention_keeps_the_newest_and_forgets_the_old() {
    let b = Bench::new("retention").await;
    let keep = KeepJobs::Bounded { count: Some(3), age_s: Some(60), limit: None };
    let opts = JobOptions { remove_on_complete: Some(keep), ..JobOptions::default() };
    for _ in 0..2 {
        let jobs = vec![job(opts.clone()); 4];
        b.queue.enqueue(&jobs).await.unwrap();
        b.settle(b.claim().await, done()).await;
        b.clock.advance(1);
    }
    assert_eq!(b.queue.counts().await.unwrap().completed, 3);
    assert_eq!(b.state("4").await, None);
    assert_eq!(b.state("8").await, Some(State::Completed));
    b.clock.advance(60_000);
    b.add(opts).await;
    b.settle(b.claim().await, done()).await;
    assert_eq!(b.queue.counts().await.unwrap().completed, 1);
    let none = JobOptions { remove_on_complete: Some(KeepJobs::None), ..JobOptions::default() };
    let id = b.add(none).await.id;
    b.settle(b.claim().await, done()).await;
    assert_eq!(b.state(&id).await, None);
}

#[tokio::test]
async fn an_age_is_in_seconds_and_ends_to_the_millisecond() {
    let b = Bench::new("age").await;
    let keep = KeepJobs::Bounded { count: None, age_s: Some(60), limit: None };
    let opts = JobOptions { remove_on_complete: Some(keep), ..JobOptions::default() };
    for (waited, left) in [(0, &["1"][..]), (59_999, &["1", "2"]), (1, &["2", "3"])] {
        b.clock.advance(waited);
        b.add(opts.clone()).await;
        b.settle(b.claim().await, done()).await;
        let completed = b.raw("ZRANGE", "completed", &["0", "-1"]).await;
        let ids: Vec<_> = completed.as_array().unwrap().iter().map(|id| id.as_str()).collect();
        assert_eq!(ids, left.iter().map(|id| Some(*id)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn batches_follow_each_other_in_one_round_trip_each() {
    let b = Bench::new("steady").await;
    for opts in [JobOptions::default(), dedup("only")] {
        b.queue.enqueue(&vec![job(opts.clone()); 1]).await.unwrap();
        b.queue.enqueue(&vec![job(JobOptions::default()); 19]).await.unwrap();
        let queue = b.queue.over(b.queue.redis().metered());
        let ten = ClaimRequest { count: 10, delayed: false, ..ALL };
        let mut claim = queue.claim(ten).await.unwrap();
        let mut done_ids = Vec::new();
        while !claim.jobs.is_empty() {
            done_ids.extend(ids(&claim));
            let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
            let (settled, next) = queue.settle_and_claim(&claim.token, &jobs, ten).await.unwrap();
            assert!(settled.codes.iter().all(|code| *code == Code::Completed));
            claim = next;
        }
        assert_eq!(done_ids.len(), 20);
        assert!(queue.redis().usage().round_trips <= 3 + 2, "a script may be new to the server");
    }
    assert_eq!(b.queue.counts().await.unwrap().completed, 40);
    assert_eq!(b.list("active").await, [""; 0]);
}
