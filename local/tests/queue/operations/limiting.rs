//! The queue's own limits: set, seen, lifted, and who wakes by that.

use std::num::NonZeroU32;

use shared::queue::{Flow, Limits, RateLimit, StoredRate, Waited};

use super::*;

fn some(n: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(n)
}

fn rate(max: u32, duration_ms: u32) -> Option<RateLimit> {
    Some(RateLimit { max: some(max)?, duration_ms: some(duration_ms)? })
}

impl Bench {
    async fn limits(&self) -> Limits {
        self.queue.limits().await.unwrap()
    }

    /// Whether a worker that sleeps now would be woken.
    async fn wakes(&self) -> bool {
        self.queue.wait_for_work(Duration::from_millis(1)).await.unwrap() == Waited::Work
    }

    /// Takes one job as a worker does, and leaves no marker.
    async fn take_quietly(&self) {
        self.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
        self.raw("DEL", "marker", &[]).await;
    }
}

#[tokio::test]
async fn limits_hold_until_they_are_lifted_and_show_how_much_of_them_is_used() {
    let b = Bench::new("limits").await;
    b.plain(&["a", "b", "c", "d", "e"]).await;
    assert_eq!((b.limits().await, b.limits().await.flow()), (Limits::default(), Flow::Running));
    b.queue.limit_concurrency(some(2)).await.unwrap();
    assert_eq!(b.queue.claim(ALL).await.unwrap().jobs.len(), 2);
    let mut full = Limits::default();
    (full.concurrency, full.active) = (Some(2), 2);
    assert_eq!((b.limits().await, full.flow()), (full, Flow::Full));
    b.queue.limit_concurrency(None).await.unwrap();
    b.queue.limit_rate(rate(2, 60_000)).await.unwrap();
    assert_eq!(b.queue.claim(ALL).await.unwrap().jobs.len(), 2);
    let limits = b.limits().await;
    assert_eq!(limits.rate, Some(StoredRate { max: 2, duration_ms: 60_000 }));
    assert_eq!((limits.concurrency, limits.used, limits.flow()), (None, 2, Flow::Limited));
    assert!(matches!(limits.left_ms, Some(1..=60_000)), "{limits:?}");
    b.queue.pause().await.unwrap();
    assert_eq!(b.limits().await.flow(), Flow::Paused);
    b.queue.resume().await.unwrap();
    b.queue.limit_rate(None).await.unwrap();
    assert_eq!(b.queue.claim(ALL).await.unwrap().jobs.len(), 1);
    assert_eq!(b.limits().await.rate, None);
}

#[tokio::test]
async fn a_sleeping_worker_is_woken_where_more_is_allowed_and_something_waits() {
    let b = Bench::new("limits-wake").await;
    b.plain(&["a", "b", "c"]).await;
    b.queue.limit_concurrency(some(1)).await.unwrap();
    b.take_quietly().await;
    b.queue.limit_concurrency(some(1)).await.unwrap();
    assert!(!b.wakes().await, "nothing changed");
    b.queue.limit_concurrency(some(2)).await.unwrap();
    assert!(b.wakes().await, "raised");
    b.take_quietly().await;
    b.queue.limit_concurrency(None).await.unwrap();
    assert!(b.wakes().await, "lifted");
    b.queue.limit_concurrency(some(9)).await.unwrap();
    assert!(!b.wakes().await, "lowered");
    b.queue.limit_rate(rate(1, 60_000)).await.unwrap();
    assert!(!b.wakes().await, "another limit");
    b.queue.limit_rate(rate(2, 60_000)).await.unwrap();
    assert!(b.wakes().await, "a higher rate");
    b.queue.limit_concurrency(some(2)).await.unwrap();
    b.queue.limit_rate(None).await.unwrap();
    assert!(!b.wakes().await, "the concurrency still holds");
    b.queue.pause().await.unwrap();
    b.queue.limit_concurrency(None).await.unwrap();
    assert!(!b.wakes().await, "the pause still holds");
    b.queue.resume().await.unwrap();
    b.take_quietly().await;
    b.queue.limit_concurrency(some(3)).await.unwrap();
    b.queue.limit_concurrency(None).await.unwrap();
    assert!(!b.wakes().await, "nothing waits");
}

#[tokio::test]
async fn a_mistake_in_a_name_makes_no_new_queue() {
    let b = Bench::new("limits-nowhere").await;
    let queue = b.base.trim_end_matches(':').to_owned();
    let nowhere = Refusal::NoQueue { queue };
    assert_eq!(refusal(b.queue.limit_concurrency(some(1)).await), nowhere);
    assert_eq!(refusal(b.queue.limit_rate(None).await), nowhere);
    assert_eq!(b.limits().await, Limits::default());
    assert_eq!(b.raw("EXISTS", "meta", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn numbers_that_a_peer_wrote_are_shown_and_can_be_lifted() {
    let b = Bench::new("limits-foreign").await;
    b.raw("HSET", "meta", &["concurrency", "many", "max", "1.5", "duration", "1000"]).await;
    // Manual rate limits of BullMQ's, with and without an end.
    b.raw("SET", "limiter", &["9007199254740991"]).await;
    let limits = b.limits().await;
    assert_eq!((limits.concurrency, limits.rate.unwrap().max), (None, 2));
    assert_eq!((limits.used, limits.left_ms), (9_007_199_254_740_991, None));
    b.raw("PEXPIRE", "limiter", &["60000"]).await;
    assert_eq!(b.limits().await.flow(), Flow::Limited);
    b.queue.limit_concurrency(None).await.unwrap();
    b.queue.limit_rate(None).await.unwrap();
    assert_eq!(b.raw("HLEN", "meta", &[]).await, Value::Int(0));
}
