//! Jobs by the page.

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
    let page = async |shelf, skip, count| {
        let jobs = b.queue.jobs(shelf, skip, count).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(page(Shelf::Wait, 0, 10).await, ["front", "w1", "w2", "w3"]);
    assert_eq!(page(Shelf::Wait, 1, 2).await, ["w1", "w2"]);
    assert_eq!(page(Shelf::Wait, 3, 2).await, ["w3"]);
    assert!(page(Shelf::Wait, 4, 2).await.is_empty());
    assert!(page(Shelf::Wait, 0, 0).await.is_empty());
    assert_eq!(page(Shelf::Prioritized, 0, 10).await, ["p2", "p2b", "p9"]);
    assert_eq!(page(Shelf::Delayed, 0, 10).await, ["soon", "late"]);
    let soon = &b.queue.jobs(Shelf::Delayed, 0, 1).await.unwrap()[0];
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
    assert_eq!(page(Shelf::Completed, 0, 1).await, ["last"]);
    let bad = b.queue.jobs(Shelf::Failed, 0, 9).await.unwrap().remove(0);
    assert_eq!(bad.failed_reason.as_deref(), Some("no\nway"));
    assert_eq!((bad.attempts_made, bad.finished_on), (Some(1), Some(NOW + 3_000)));
    assert_eq!(
        b.queue.throughput(5).await.unwrap(),
        Throughput { minutes: 5, completed: 8, failed: 1 }
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
