//! Looks at everything within a price, why nothing can be claimed, and why jobs failed.

use std::num::NonZeroU32;

use shared::queue::{
    Counted, Counts, CountsSeen, Figure, Hold, MOST_COMMANDS, Overview, RateLimit,
};

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

/// The counts that looks have read: all of them.
fn read(seen: &CountsSeen) -> [u64; 8] {
    let value = |seen: Option<Figure<u64>>| seen.unwrap().value;
    let CountsSeen { prioritized, delayed, waiting_children, completed, .. } = *seen;
    let rare = [prioritized, delayed, waiting_children, completed].map(value);
    [seen.wait, seen.paused, rare[0], rare[1], seen.active, rare[2], rare[3], seen.failed]
}

fn counted(counts: &Counts) -> [u64; 8] {
    let Counts { wait, paused, prioritized, delayed, .. } = *counts;
    let Counts { active, waiting_children, completed, failed, .. } = *counts;
    [wait, paused, prioritized, delayed, active, waiting_children, completed, failed]
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
    assert_eq!(read(&seen.counts), counted(&counts));
    // The schedule's first job waits, too.
    assert_eq!((counts.wait, counts.active, counts.failed, counts.delayed), (121, 1, 1, 0));
    assert_eq!(counts.completed, 1);
    assert_eq!(seen.oldest_waiting_ms.unwrap().value, Some(NOW + 15_000));
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
    assert_eq!(read(&seen.counts), counted(&b.queue.counts().await.unwrap()));
}

/// A queue in which everything is that a look can ask for.
async fn everything(b: &Bench) {
    b.fail(&["f"]).await;
    b.plain(&["c"]).await;
    b.end(Settlement::Complete("1".to_owned())).await;
    b.plain(&["a", "w"]).await;
    let claim = ClaimRequest { count: 1, lock: Some(Duration::from_secs(900)), ..ALL };
    assert_eq!(b.queue.claim(claim).await.unwrap().jobs.len(), 1);
    b.add("p", JobOptions { priority: 3, ..JobOptions::default() }).await;
    b.add("d", delayed(HOUR)).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.raw("LPUSH", "paused", &["w0"]).await;
    b.queue.schedule(&hourly("s")).await.unwrap();
    b.queue.beat(r#"{"completed":1}"#).await.unwrap();
    for end in ["completed", "failed"] {
        let at = b.clock.now_ms().to_string();
        b.raw("HSET", &format!("metrics:{end}"), &["count", "7", "prevTS", &at, "prevCount", "5"])
            .await;
    }
    let minute = NonZeroU32::new(60_000).unwrap();
    let rate = RateLimit { max: NonZeroU32::new(5).unwrap(), duration_ms: minute };
    b.queue.limit_rate(Some(rate)).await.unwrap();
    b.queue.limit_concurrency(NonZeroU32::new(1)).await.unwrap();
}

#[tokio::test]
async fn whatever_there_is_every_figure_has_its_turn_again_and_again() {
    let b = Bench::new("turns").await;
    everything(&b).await;
    let first = b.queue.overview(None).await.unwrap();
    assert_eq!(first.counts.waiting_children, None, "what was never read is not told as 0");
    assert_eq!((first.schedules.as_ref(), first.throughput(60)), (None, None));
    let mut look = first;
    for _ in 0..2 {
        let begun = b.clock.now_ms();
        let mut shows_lock = false;
        for _ in 0..12 {
            // As a console looks; every report is out of date at each.
            b.clock.advance(60_000);
            look = b.queue.overview(Some(&look)).await.unwrap();
            shows_lock |= matches!(look.hold, Some(Hold::Full { left_ms: Some(1..), .. }));
        }
        let counts = look.counts;
        let read = [counts.prioritized, counts.delayed, counts.waiting_children, counts.completed];
        let read = read.map(|figure| figure.unwrap().at_ms);
        let others = [
            look.oldest_waiting_ms.map(|figure| figure.at_ms),
            look.heartbeat.as_ref().map(|figure| figure.at_ms),
            look.schedules.as_ref().map(|figure| figure.at_ms),
        ];
        assert!(
            read.into_iter().chain(others.map(Option::unwrap)).all(|at| at > begun),
            "{look:?}"
        );
        assert!(shows_lock, "{:?}", look.hold);
        assert_eq!(look.throughput(60).unwrap().counted, Counted::Metrics);
    }
}

#[tokio::test]
async fn a_look_says_which_limit_holds_whatever_else_there_is() {
    let b = Bench::new("limit first").await;
    everything(&b).await;
    b.queue.limit_concurrency(None).await.unwrap();
    b.raw("SET", "limiter", &["5", "PX", "60000"]).await;
    let look = look(&b, 1).await;
    let Some(Hold::Limited { max: Some(5), duration_ms: Some(60_000), left_ms: 1.. }) = look.hold
    else {
        panic!("{:?}", look.hold)
    };
    assert_eq!(look.limits.used, 5);
}

#[tokio::test]
async fn metrics_are_read_where_both_kinds_are_and_told_as_of_when_they_were_read() {
    let b = Bench::new("both metrics").await;
    b.clock.advance(40_000);
    let at = b.clock.now_ms().to_string();
    for (end, count) in [("completed", "7"), ("failed", "6")] {
        b.raw(
            "HSET",
            &format!("metrics:{end}"),
            &["count", count, "prevTS", &at, "prevCount", "5"],
        )
        .await;
    }
    let mut seen = look(&b, 2).await;
    let told = |look: &Overview| {
        let ended = look.throughput(1).unwrap();
        (ended.completed, ended.failed, ended.counted)
    };
    assert_eq!(told(&seen), (2, 1, Counted::Metrics));
    // While they stand they tell of the minute in which they were read, which ends meanwhile.
    for _ in 0..2 {
        b.clock.advance(14_000);
        seen = b.queue.overview(Some(&seen)).await.unwrap();
        assert_eq!(told(&seen), (2, 1, Counted::Metrics));
    }
}

#[tokio::test]
async fn the_newest_sign_of_life_stays_the_newest() {
    let b = Bench::new("signs").await;
    b.queue.beat("{}").await.unwrap();
    b.clock.advance(3_600_000);
    b.queue.beat_idle().await.unwrap();
    let idle = b.clock.now_ms();
    let last = |look: &Overview| look.heartbeat.as_ref().unwrap().value.last_ms;
    let mut seen = look(&b, 3).await;
    assert_eq!(last(&seen), Some(idle));
    // The reports are read anew, and know of none so new.
    b.clock.advance(60_000);
    seen = b.queue.overview(Some(&seen)).await.unwrap();
    assert_eq!(seen.heartbeat.as_ref().unwrap().at_ms, b.clock.now_ms());
    assert_eq!(last(&seen), Some(idle));
}

#[tokio::test]
async fn an_id_whose_key_holds_something_else_keeps_no_look_from_the_rest() {
    let b = Bench::new("odd head").await;
    for (id, priority) in [("odd", 0), ("odd-too", 3)] {
        b.add(id, JobOptions { priority, ..JobOptions::default() }).await;
        b.raw("DEL", id, &[]).await;
        b.raw("SET", id, &["somebody else's"]).await;
    }
    let seen = look(&b, 2).await;
    assert_eq!((seen.counts.wait, seen.counts.prioritized.unwrap().value), (1, 1));
    assert_eq!(seen.oldest_waiting_ms.unwrap().value, None);
    b.plain(&["well"]).await;
    b.raw("LREM", "wait", &["1", "odd"]).await;
    assert_eq!(look(&b, 2).await.oldest_waiting_ms.unwrap().value, Some(b.clock.now_ms() - 30_000));
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
