//! Jobs that are put back, and those that go.

use super::*;

#[tokio::test]
async fn a_retried_job_runs_once_more_and_keeps_its_attempts_unless_told_otherwise() {
    let b = Bench::new("retried").await;
    b.fail(&["kept", "reset"]).await;
    b.queue.retry("kept", Ended::Failed, false).await.unwrap();
    b.queue.retry("reset", Ended::Failed, true).await.unwrap();
    let claim = b.queue.claim(ALL).await.unwrap();
    let made: Vec<_> = claim.jobs.iter().map(|job| (job.id.as_str(), job.attempts_made)).collect();
    assert_eq!(made, [("kept", 1), ("reset", 0)]);
}

#[tokio::test]
async fn children_with_colons_in_their_ids_go_with_their_parent() {
    let b = Bench::new("colons").await;
    b.add("a:b:c", JobOptions::default()).await;
    b.plain(&["parent"]).await;
    b.raw("LREM", "wait", &["1", "parent"]).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.raw("SADD", "parent:dependencies", &[&format!("{}a:b:c", b.base)]).await;
    // And one of another queue, whose key alone does not say where the queue's name ends.
    let elsewhere = |key: &str| format!("colons:other:{key}");
    let call = async |command: Command| b.queue.redis().call(command).await.unwrap();
    call(Command::new("HSET").arg(elsewhere("meta")).arg("opts.maxLenEvents").arg("9")).await;
    call(Command::new("HSET").arg(elsewhere("x:y:z")).arg("name").arg("n")).await;
    call(Command::new("LPUSH").arg(elsewhere("wait")).arg("x:y:z")).await;
    b.raw("SADD", "parent:dependencies", &[&elsewhere("x:y:z")]).await;
    b.queue.remove("parent").await.unwrap();
    assert!(b.list("wait").await.is_empty());
    let left = call(Command::new("EXISTS").arg(elsewhere("wait")).arg(elsewhere("x:y:z"))).await;
    assert_eq!(left, Value::Int(0));
    assert_eq!(b.state("a:b:c").await, None);
}

#[tokio::test]
async fn a_parent_that_goes_with_its_children_blocks_no_later_one() {
    let b = Bench::new("parents").await;
    let deduplication = Some(Deduplication { id: "d".to_owned(), ..Deduplication::default() });
    b.add("parent", JobOptions { deduplication, ..JobOptions::default() }).await;
    b.raw("LREM", "wait", &["1", "parent"]).await;
    b.raw("ZADD", "waiting-children", &["1", "parent"]).await;
    b.plain(&["child"]).await;
    let parent = format!("{}parent", b.base);
    b.raw("HSET", "child", &["parentKey", &parent]).await;
    b.raw("SADD", "parent:dependencies", &[&format!("{}child", b.base)]).await;
    assert_eq!(b.queue.clean(Cleanable::Wait, Duration::ZERO, None).await.unwrap(), ["child"]);
    assert_eq!(b.state("parent").await, None);
    assert_eq!(b.raw("EXISTS", "de:d", &[]).await, Value::Int(0));
}
