//! Calls whose answers were lost on the way.

use super::*;

#[tokio::test]
async fn a_lost_enqueue_answer_leaves_one_job() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-enqueue", |_| {});
    // The script is known to the server from here on, so that the next call is one round trip.
    let warm = b.add_plain(1).await;
    proxy.lose(1);
    let added = b.add_plain(3).await;
    assert_eq!(proxy.left(), 0);
    let mut waiting = b.list("wait").await;
    waiting.reverse();
    assert_eq!(waiting, [warm, added].concat());
}

/// How long each receipt still lives: milliseconds.
async fn receipts(b: &Bench) -> Vec<i64> {
    let config = b.queue.options();
    let pattern = format!("{}:{}:batchmq:receipt-*", config.prefix, config.name);
    let keys = b.queue.redis().call(Command::new("KEYS").arg(pattern)).await.unwrap();
    let mut left = Vec::new();
    for key in keys.as_array().unwrap() {
        let key = key.as_str().unwrap();
        let ms = b.queue.redis().call(Command::new("PTTL").arg(key)).await.unwrap();
        left.push(ms.as_int().unwrap());
    }
    left
}

#[tokio::test]
async fn a_lost_claim_answer_is_found_again() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-claim", |_| {});
    let added = b.add_plain(5).await;
    b.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    proxy.lose(2);
    let claim = b.queue.claim(ClaimRequest { count: 3, ..ALL }).await.unwrap();
    assert_eq!(proxy.left(), 0);
    assert_eq!(ids(&claim), added[1..4]);
    for id in ids(&claim) {
        assert_eq!(b.field(&id, "ats").await.as_deref(), Some("1"));
    }
    assert_eq!(b.settle(claim, done()).await, [Code::Completed; 3]);
    assert_eq!(b.queue.counts().await.unwrap().wait, 1);
}

#[tokio::test]
async fn a_lost_settle_answer_is_answered_again() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-settle", |_| {});
    b.add_plain(4).await;
    let first = b.queue.claim(ClaimRequest { count: 2, ..ALL }).await.unwrap();
    b.settle(first, done()).await;
    let mut second = b.claim().await;
    second.jobs.push(shared::queue::ClaimedJob { id: "gone".to_owned(), ..Default::default() });
    proxy.lose(1);
    let codes = b.settle(second, done()).await;
    assert_eq!(proxy.left(), 0);
    assert_eq!(codes, [Code::Completed, Code::Completed, Code::Refused(-1)]);
    // Two calls have settled; what remains is the enqueue's receipt, which lives longer.
    let lock = i64::try_from(b.queue.options().lock.as_millis()).unwrap();
    let live = receipts(&b).await;
    let as_a_lock = live.iter().filter(|ms| (lock - 60_000..=lock).contains(ms));
    assert_eq!((as_a_lock.count(), live.len()), (2, 3), "{live:?}, a lock lives {lock} ms");
    assert_eq!(b.field("4", "atm").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_lost_answer_of_both_at_once_settles_once_and_claims_once() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-both", |_| {});
    b.add_plain(4).await;
    let two = ClaimRequest { count: 2, ..ALL };
    let first = b.queue.claim(two).await.unwrap();
    let jobs: Vec<_> = first.jobs.into_iter().map(|job| (job, done())).collect();
    b.queue.redis().call(Command::new("PING")).await.unwrap();
    let warm = Bench::on(&proxy.url, "lost-both-warm", |_| {});
    warm.add_plain(1).await;
    let claim = warm.claim().await;
    let warm_jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
    warm.queue.settle_and_claim(&claim.token, &warm_jobs, two).await.unwrap();
    proxy.lose(1);
    let (settled, next) = b.queue.settle_and_claim(&first.token, &jobs, two).await.unwrap();
    assert_eq!(proxy.left(), 0);
    assert_eq!(settled.codes, [Code::Completed; 2]);
    assert_eq!(ids(&next), ["3", "4"]);
    assert_eq!(b.field("3", "ats").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_lost_settle_answer_is_counted_once() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-metrics", |config| config.metrics_minutes = 5);
    b.add_plain(5).await;
    let first = b.queue.claim(ClaimRequest { count: 2, ..ALL }).await.unwrap();
    b.settle(first, done()).await;
    b.clock.advance(3 * 60_000);
    let second = b.claim().await;
    proxy.lose(1);
    assert_eq!(b.settle(second, done()).await, [Code::Completed; 3]);
    assert_eq!(proxy.left(), 0);
    assert_eq!(b.field("metrics:completed", "count").await.as_deref(), Some("5"));
    assert_eq!(b.list("metrics:completed:data").await, ["0", "0", "2"]);
}
