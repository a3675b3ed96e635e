//! What is not done, and why.

use super::*;

#[tokio::test]
async fn what_bullmq_refuses_is_refused_in_its_words_and_changes_nothing() {
    let b = Bench::new("refused").await;
    b.plain(&["held"]).await;
    b.queue.claim(ALL).await.unwrap();
    b.plain(&["waits"]).await;
    let refused = [
        (
            refusal(b.queue.remove("held").await),
            "Job held could not be removed because it is locked by another worker",
        ),
        (refusal(b.queue.remove("none").await), "Missing key for job none. removeJob"),
        (
            refusal(b.queue.retry("none", Ended::Failed, false).await),
            "Missing key for job none. reprocessJob",
        ),
        (
            refusal(b.queue.retry("waits", Ended::Completed, true).await),
            "Job waits is not in the completed state. reprocessJob",
        ),
        (refusal(b.queue.promote("waits").await), "Job waits is not in the delayed state. promote"),
        (refusal(b.queue.promote("none").await), "Missing key for job none. promote"),
        (refusal(b.queue.obliterate(true).await), "Cannot obliterate non-paused queue"),
    ];
    for (refusal, words) in refused {
        assert_eq!(refusal.to_string(), words);
    }
    b.queue.pause().await.unwrap();
    assert_eq!(refusal(b.queue.obliterate(false).await), Refusal::ActiveJobs);
    assert_eq!(b.state("held").await, Some(State::Active));
    assert_eq!(b.state("waits").await, Some(State::Paused));
}

#[tokio::test]
async fn an_id_without_a_job_never_comes_to_wait() {
    let b = Bench::new("ghosts").await;
    b.fail(&["real"]).await;
    b.raw("ZADD", "failed", &["5", "ghost"]).await;
    b.raw("ZADD", "delayed", &["5", "ghost"]).await;
    assert_eq!(b.queue.retry_all(Ended::Failed).await.unwrap(), 1);
    assert_eq!(b.queue.promote_all().await.unwrap(), 0);
    assert_eq!(b.list("wait").await, ["real"]);
    let counts = b.queue.counts().await.unwrap();
    assert_eq!((counts.failed, counts.delayed), (0, 0));
    // One that stands in a list already can be taken out.
    b.raw("LPUSH", "wait", &["ghost"]).await;
    assert_eq!(b.queue.remove("ghost").await.unwrap(), "wait");
}
