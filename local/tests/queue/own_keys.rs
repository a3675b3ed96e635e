//! Our own keys beside BullMQ's: what they are called, how long they live, and what is taken over.

use super::*;

/// Every key below the prefix, with its time to live in milliseconds.
async fn keys(b: &Bench) -> Vec<(String, i64)> {
    let pattern = format!("{}:*", b.queue.options().prefix);
    let found = b.queue.redis().call(Command::new("KEYS").arg(pattern)).await.unwrap();
    let mut keys = Vec::new();
    for key in found.as_array().unwrap() {
        let key = key.as_str().unwrap().to_owned();
        let ttl = b.queue.redis().call(Command::new("PTTL").arg(key.clone())).await.unwrap();
        keys.push((key, ttl.as_int().unwrap()));
    }
    keys.sort();
    keys
}

/// Does all that writes a key of ours, and gives those keys.
async fn all_of_ours(b: &Bench) -> Vec<(String, i64)> {
    b.add_plain(3).await;
    let key = "a caller's: own:lock";
    b.queue.enqueue_once(&[job(JobOptions::default())], key).await.unwrap();
    let claim = b.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    b.settle(claim, done()).await;
    b.queue.recover().await.unwrap();
    b.queue.pause().await.unwrap();
    b.queue.resume().await.unwrap();
    b.queue.remove("3").await.unwrap();
    b.queue.beat("{}").await.unwrap();
    b.queue.beat_idle().await.unwrap();
    b.queue.keep_bookmark("cron-cursor", Some("p7")).await.unwrap();
    b.queue.probe().await.unwrap();
    b.queue.first_asked(key, "this").await.unwrap();
    b.queue.count_asked("a user: of:lock", Duration::from_secs(60), true).await.unwrap();
    let ours = keys(b).await.into_iter().filter(|(key, _)| key.contains("batchmq")).collect();
    b.queue.enqueue_once(&[job(JobOptions::default())], key).await.unwrap();
    ours
}

#[tokio::test]
async fn they_have_two_segments_behind_the_queue_and_a_time_to_live() {
    let b = Bench::new("own-keys").await;
    let ours = all_of_ours(&b).await;
    let base = format!("own-keys:{}:batchmq:", b.queue.options().name);
    for (key, ttl) in &ours {
        assert!(key.starts_with(&base) && key.split(':').count() == 4, "{key}");
        assert!((1..=7 * 86_400_000).contains(ttl), "{key} lives {ttl} ms");
        // What BullMQ takes for a part of a job.
        for name in ["lock", "logs", "dependencies", "processed", "failed", "unsuccessful"] {
            assert!(!key.ends_with(&format!(":{name}")), "{key}");
        }
    }
    let is =
        |name: &str| ours.iter().filter(|(key, _)| key[base.len()..].starts_with(name)).count();
    let once = ["heartbeat", "idle", "cron-cursor", "asked-", "rate-", "probe"];
    assert_eq!(once.map(is), [1; 6], "{ours:?}");
    assert_eq!(is("receipt-once-0-"), 1, "{ours:?}");
    assert!(is("receipt-") >= 4, "{ours:?}");
    assert_eq!(once.len() + is("receipt-"), ours.len(), "{ours:?}");
    // The same key again: nothing was added.
    assert_eq!(b.field("5", "name").await, None);
}

#[tokio::test]
async fn whoever_discovers_queues_by_scanning_finds_the_queue_alone() {
    let b = Bench::new("discovered").await;
    all_of_ours(&b).await;
    let found: HashSet<String> = keys(&b)
        .await
        .iter()
        // As `^.+?:(.+?):.+?$` matches.
        .filter_map(|(key, _)| {
            let rest = &key[1 + key[1..].find(':')? + 1..];
            let end = 1 + rest.get(1..)?.find(':')?;
            (end + 1 < rest.len()).then(|| rest[..end].to_owned())
        })
        .collect();
    assert_eq!(found, HashSet::from([b.queue.options().name.clone()]));
}

#[tokio::test]
async fn nothing_without_a_time_to_live_outlasts_the_queue() {
    let b = Bench::new("obliterated").await;
    all_of_ours(&b).await;
    b.queue.pause().await.unwrap();
    b.queue.obliterate(true).await.unwrap();
    let left = keys(&b).await;
    assert!(!left.is_empty() && left.iter().all(|(_, ttl)| *ttl > 0), "{left:?}");
}

#[tokio::test]
async fn a_place_that_an_earlier_version_kept_is_taken_over_once() {
    let b = Bench::new("cursor").await;
    let former = format!("cursor::deo:{}:cron-cursor", b.queue.options().name);
    let redis = b.queue.redis().metered();
    let queue = b.queue.over(redis.clone());
    redis.call(Command::new("SET").arg(former.clone()).arg("p42")).await.unwrap();
    assert_eq!(queue.bookmark("cron-cursor").await.unwrap().as_deref(), Some("p42"));
    let all = keys(&b).await;
    assert!(all.len() == 1 && all[0].0.ends_with(":batchmq:cron-cursor"), "{all:?}");
    let before = redis.usage().billed;
    assert_eq!(queue.bookmark("cron-cursor").await.unwrap().as_deref(), Some("p42"));
    assert_eq!(redis.usage().billed - before, 1);
    // A newer place of our own counts, and the former key goes all the same.
    redis.call(Command::new("SET").arg(former).arg("old")).await.unwrap();
    assert_eq!(queue.bookmark("cron-cursor").await.unwrap().as_deref(), Some("p42"));
    assert_eq!(keys(&b).await.len(), 1);
    queue.keep_bookmark("cron-cursor", None).await.unwrap();
    assert_eq!(queue.bookmark("cron-cursor").await.unwrap(), None);
    assert_eq!(keys(&b).await, []);
}

#[tokio::test]
async fn the_heartbeat_holds_the_newest_reports_at_a_command_each() {
    let b = Bench::new("heartbeat").await;
    let none = b.queue.heartbeat(5).await.unwrap();
    assert_eq!((none.last_ms, none.beats.len()), (None, 0));
    // Of an earlier version.
    let former = Command::new("SET").arg(format!("heartbeat::deo:{}:heartbeat", settings("").name));
    b.queue.redis().call(former.arg("1799999999000").arg("EX").arg("60")).await.unwrap();
    assert_eq!(b.queue.heartbeat(5).await.unwrap().last_ms, Some(NOW - 1_000));

    let mut costs = Vec::new();
    // Two drains, which know nothing of each other.
    for n in 0..40 {
        b.clock.advance(1_000);
        let queue = b.queue.over(b.queue.redis().metered());
        queue.beat(&format!("report {n}")).await.unwrap();
        costs.push(queue.redis().usage().billed);
    }
    assert_eq!((costs[0], &costs[1..]), (5, &[1; 39][..]));
    let known = b.queue.heartbeat(shared::queue::MOST_BEATS).await.unwrap();
    let reports: Vec<String> = known.beats.iter().map(|beat| beat.report.clone()).collect();
    let newest: Vec<String> = (10..40).rev().map(|n| format!("report {n}")).collect();
    assert_eq!((known.last_ms, reports), (Some(NOW + 40_000), newest));
    assert_eq!(known.beats[1].at_ms, NOW + 39_000);

    b.clock.advance(600_000);
    b.queue.beat_idle().await.unwrap();
    let idle = b.queue.heartbeat(0).await.unwrap();
    assert_eq!((idle.last_ms, idle.beats.len()), (Some(NOW + 640_000), 0));
}

#[tokio::test]
async fn a_custom_id_among_our_own_keys_is_refused() {
    let b = Bench::new("tagged").await;
    for id in ["batchmq", "batchmq:a:b", "batchmq:heartbeat"] {
        let opts = JobOptions { job_id: Some(id.to_owned()), ..JobOptions::default() };
        let refused = b.queue.enqueue(&[job(opts)]).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid { index: 0, .. }), "{refused:?}");
        assert!(refused.to_string().contains(id), "{refused}");
    }
    assert_eq!(keys(&b).await, []);
    let opts = JobOptions { job_id: Some("batchmqueue".to_owned()), ..JobOptions::default() };
    b.add(opts).await;
}

#[tokio::test]
async fn what_was_first_asked_under_a_key_stays_and_what_is_asked_is_counted() {
    let b = Bench::new("asked").await;
    let ask = async |key: &str, text: &str| b.queue.first_asked(key, text).await.unwrap();
    assert_eq!(ask("k", "one").await, "one");
    assert_eq!(ask("k", "two").await, "one");
    assert_eq!(ask("K", "two").await, "two");
    let minute = Duration::from_secs(60);
    let count =
        async |who: &str, is_first| b.queue.count_asked(who, minute, is_first).await.unwrap();
    let counts = [count("ann", true).await, count("ann", false).await, count("bob", true).await];
    assert_eq!(counts, [1, 2, 1]);
    // Who thinks wrongly to be the first takes nothing back.
    assert!(count("bob", true).await <= 2);
    let lives = keys(&b).await.into_iter().filter(|(key, _)| key.contains(":rate-"));
    assert!(lives.map(|(_, ttl)| ttl).all(|ttl| (1..=120_000).contains(&ttl)));
}
