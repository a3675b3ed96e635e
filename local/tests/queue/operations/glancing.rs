//! Looks at everything within a price, why nothing can be claimed, and why jobs failed.

use std::num::NonZeroU32;

use shared::queue::{Counts, Hold, MOST_COMMANDS, Overview, RateLimit};

use super::*;

/// Looks so many times, a quarter of a minute apart, each at no more than a look may cost.
async fn look(b: &Bench, times: usize) -> Overview {
    let mut look = None;
    for round in 0..times {
        let queue = b.queue.over(b.queue.redis().metered());
        let next = queue.overview(look.as_ref()).await.unwrap();
        let usage = queue.redis().usage();
        assert!(usage.billed <= MOST_COMMANDS && usage.round_trips <= 3, "{round}: {usage:?}");
        look = Some(next);
        b.clock.advance(15_000);
    }
    look.unwrap()
}

/// Those that have ended are counted apart, when a command is to spare.
fn but_the_completed(mut counts: Counts) -> Counts {
    counts.completed = 0;
    counts
}

#[tokio::test]
async fn a_look_costs_ten_commands_at_most_and_goes_on_where_the_one_before_stopped() {
    let b = Bench::new("at a glance").await;
    assert_eq!(look(&b, 1).await.hold, None);
    b.fail(&["f"]).await;
    b.plain(&["c"]).await;
    b.end(Settlement::Complete("1".to_owned())).await;
    b.plain(&["a"]).await;
    let one = ClaimRequest { count: 1, ..ALL };
    let claim = b.queue.claim(ClaimRequest { lock: Some(Duration::from_secs(900)), ..one }).await;
    assert_eq!(claim.unwrap().jobs.len(), 1);
    let waiting: Vec<String> = (0..120).map(|n| format!("w{n}")).collect();
    b.plain(&waiting.iter().map(String::as_str).collect::<Vec<_>>()).await;
    b.queue.schedule(&hourly("s")).await.unwrap();
    b.queue.beat(r#"{"completed":1}"#).await.unwrap();
    let seen = look(&b, 4).await;
    let counts = b.queue.counts().await.unwrap();
    assert_eq!(seen.counts, but_the_completed(counts));
    // The schedule's first job waits, too.
    assert_eq!((counts.wait, counts.active, counts.failed, counts.delayed), (121, 1, 1, 0));
    assert_eq!(seen.completed.map(|read| read.value), Some(1));
    assert_eq!(seen.oldest_waiting_ms, Some(NOW + 15_000));
    let schedules = seen.schedules.unwrap().value;
    assert_eq!((schedules.len(), schedules[0].id.as_str()), (1, "s"));
    assert!(schedules[0].next_ms > NOW);
    assert_eq!(seen.heartbeat.unwrap().value.beats.len(), 1);

    // With everything that there can be the price still holds.
    b.add("p", JobOptions { priority: 3, ..JobOptions::default() }).await;
    b.add("d", delayed(HOUR)).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.raw("LPUSH", "paused", &["w0"]).await;
    b.raw("HSET", "metrics:completed", &["count", "7", "prevTS", "1", "prevCount", "5"]).await;
    let rate = RateLimit { max: NonZeroU32::MIN, duration_ms: NonZeroU32::MIN };
    b.queue.limit_rate(Some(rate)).await.unwrap();
    let seen = look(&b, 9).await;
    assert_eq!(seen.counts, but_the_completed(b.queue.counts().await.unwrap()));
}

#[tokio::test]
async fn what_holds_the_queue_back_is_told_with_its_limit_and_its_end() {
    let b = Bench::new("held").await;
    b.plain(&["j1", "j2", "j3"]).await;
    let one = ClaimRequest { count: 1, ..ALL };
    b.queue.claim(one).await.unwrap();
    assert_eq!(look(&b, 1).await.hold, None);
    let held = async || {
        let seen = look(&b, 1).await.hold.unwrap();
        let limits = b.queue.limits().await.unwrap();
        // The command line says the same, but for the time that has passed.
        let told = b.queue.hold(&limits, seen.to_string().find("none waits").is_none()).await;
        assert_eq!(std::mem::discriminant(&told.unwrap().unwrap()), std::mem::discriminant(&seen));
        seen
    };
    b.queue.limit_concurrency(NonZeroU32::new(1)).await.unwrap();
    let Hold::Full { concurrency: Some(1), active: 1, left_ms: Some(left) } = held().await else {
        panic!("{:?}", held().await)
    };
    assert!((1..=90_000).contains(&left), "{left}");
    b.queue.limit_concurrency(None).await.unwrap();
    let minute = NonZeroU32::new(60_000).unwrap();
    b.queue
        .limit_rate(Some(RateLimit { max: NonZeroU32::MIN, duration_ms: minute }))
        .await
        .unwrap();
    b.queue.claim(one).await.unwrap();
    let Hold::Limited { max: Some(1), duration_ms: Some(60_000), left_ms } = held().await else {
        panic!("{:?}", held().await)
    };
    assert!((1..=60_000).contains(&left_ms), "{left_ms}");
    b.queue.pause().await.unwrap();
    assert_eq!(held().await, Hold::Paused);
    b.queue.resume().await.unwrap();
    b.queue.limit_rate(None).await.unwrap();
    b.queue.claim(one).await.unwrap();
    let Hold::Locked { active: 3, left_ms: Some(left) } = held().await else {
        panic!("{:?}", held().await)
    };
    assert!((1..=90_000).contains(&left), "{left}");
    b.raw("DEL", "j1:lock", &[]).await;
    let gone = held().await;
    assert_eq!(gone, Hold::Locked { active: 3, left_ms: Some(0) });
    assert!(gone.to_string().contains("the next tick takes its job back"), "{gone}");
}

#[tokio::test]
async fn failures_are_grouped_and_only_new_ones_are_read() {
    let b = Bench::new("failures").await;
    let fail = async |ids: &[&str], reason: &str| {
        b.clock.advance(1_000);
        b.plain(ids).await;
        b.end(Settlement::Unrecoverable(reason.to_owned())).await;
    };
    fail(&["a", "b"], "timed out").await;
    fail(&["c"], &"€".repeat(400)).await;
    let read = async |before: Option<&shared::queue::Failures>| {
        let queue = b.queue.over(b.queue.redis().metered());
        (queue.failures(before).await.unwrap(), queue.redis().usage().billed)
    };
    // The script may be new to the server.
    read(None).await;
    let (first, spent) = read(None).await;
    assert_eq!(spent, 2 + 3);
    fail(&["d"], "timed out").await;
    let (second, spent) = read(Some(&first)).await;
    assert_eq!(spent, 2 + 1);
    let groups = second.groups();
    assert_eq!((groups[0].reason.as_str(), groups[0].count), ("timed out", 3));
    assert_eq!(groups[0].job_ids[0], "d");
    assert_eq!(groups[0].newest, NOW + 3_000);
    // What a retry looks for must stand in the reason.
    assert_eq!((groups[1].reason.as_str(), groups[1].count), (&*"€".repeat(166), 1));
    assert_eq!(b.queue.retry_by_reason(&groups[1].reason).await.unwrap(), 1);
    b.queue.retry("a", Ended::Failed, false).await.unwrap();
    let (third, spent) = read(Some(&second)).await;
    assert_eq!((spent, third.groups().len(), third.groups()[0].count), (2, 1, 2));
}
