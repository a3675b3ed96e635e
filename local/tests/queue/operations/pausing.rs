//! Pausing and resuming, whichever major did the other half.

use super::*;

#[tokio::test]
async fn no_job_is_lost_between_the_two_majors_ways_of_pausing() {
    let b = Bench::new("majors").await;
    for (paused_by, resumed_by) in
        [("bullmq:5.81.5", "bullmq:6.7.0"), ("bullmq:6.7.0", "bullmq:5.81.5")]
    {
        b.version(paused_by).await;
        b.plain(&["a", "b"]).await;
        b.queue.pause().await.unwrap();
        b.plain(&["c"]).await;
        b.version(resumed_by).await;
        // A Node producer of the other major, which looks at nothing but its own list.
        let other = if paused_by.contains(":5") { "wait" } else { "paused" };
        b.raw("LPUSH", other, &["d"]).await;
        b.raw("HSET", "d", &["name", "n", "data", "{}"]).await;
        b.queue.pause().await.unwrap();
        b.queue.resume().await.unwrap();
        let mut ids = b.order().await;
        ids.sort();
        assert_eq!(ids, ["a", "b", "c", "d"], "{paused_by}");
        for id in ids {
            b.raw("DEL", &format!("{id}:lock"), &[]).await;
            b.queue.remove(&id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn pausing_with_bullmq_5_leaves_one_list_however_long_the_other_was() {
    let b = Bench::new("merge").await;
    b.version("bullmq:5.81.5").await;
    let many: Vec<String> = (0..11_000).map(|i| format!("j{i}")).collect();
    let ids: Vec<&str> = many.iter().map(String::as_str).collect();
    for part in ids.chunks(5_000) {
        b.raw("LPUSH", "wait", part).await;
    }
    b.raw("LPUSH", "paused", &["first"]).await;
    b.queue.pause().await.unwrap();
    assert!(b.list("wait").await.is_empty());
    assert_eq!(b.told("paused").await, 1);
    // As BullMQ 5 resumes.
    b.raw("RENAME", "paused", &[&format!("{}wait", b.base)]).await;
    let mut order = b.list("wait").await;
    order.reverse();
    assert_eq!(order[0], "first");
    assert_eq!(order[1..], many);
}
