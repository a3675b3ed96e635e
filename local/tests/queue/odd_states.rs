//! States in which a script once lost, doubled or stopped something.

use super::*;

/// Two jobs of a batch may have had one deduplication id: what waits behind it becomes one job.
#[tokio::test]
async fn what_waits_behind_two_jobs_of_one_id_is_added_once() {
    let b = Bench::new("one-next").await;
    b.add_plain(2).await;
    b.write(&[
        "HSET 1 deid d",
        "HSET 2 deid d",
        "SET de:d 2",
        "HSET dn:d name next data {} opts {}",
    ])
    .await;
    let claim = b.claim().await;
    assert_eq!(b.settle(claim, done()).await, [Code::Completed; 2]);
    assert_eq!(ids(&b.claim().await).len(), 1);
    assert_eq!(b.raw("EXISTS", "dn:d", &[]).await, Value::Int(0));
}

/// A parent that goes on without its failed child must be able to complete.
#[tokio::test]
async fn a_released_parent_waits_for_nobody_whatever_its_keys_are() {
    let b = Bench::new("released").await;
    b.add_plain(1).await;
    b.write(&[
        "HSET p name n data {} opts {} timestamp 1",
        "ZADD waiting-children 1 p",
        "SADD p:dependencies @1",
        "SET p:failed x",
        "HSET 1 parentKey @p",
    ])
    .await;
    let parent =
        format!(r#"{{"id":"p","queueKey":"{}","idof":true}}"#, b.base.trim_end_matches(':'));
    b.raw("HSET", "1", &["parent", &parent]).await;
    let claim = b.claim().await;
    b.settle(claim, Settlement::Unrecoverable("no".to_owned())).await;
    let claim = b.claim().await;
    assert_eq!(ids(&claim), ["p"]);
    assert_eq!(b.settle(claim, done()).await, [Code::Completed]);
}

/// Children that are swept away take a parent with them that waited for nothing else, whatever its own parent's
/// keys are: none stays in no state.
#[tokio::test]
async fn a_parent_that_is_swept_away_is_not_left_in_no_state() {
    let b = Bench::new("swept").await;
    b.add_plain(1).await;
    b.write(&[
        "HSET p name n data {} opts {} timestamp 1 parentKey @g",
        "ZADD waiting-children 1 p",
        "SADD p:dependencies @1",
        "SET g:dependencies x",
        "HSET 1 parentKey @p",
    ])
    .await;
    b.clock.advance(1);
    b.queue.clean(State::Wait, Duration::ZERO, None).await.unwrap();
    assert_eq!(b.raw("EXISTS", "p", &[]).await, Value::Int(0));
    assert_eq!(b.raw("ZCARD", "waiting-children", &[]).await, Value::Int(0));
}

/// A holder is looked for whatever a producer's ids have made of the queue's own keys.
#[tokio::test]
async fn an_old_holder_is_looked_for_among_keys_of_other_types() {
    for name in ["prioritized", "delayed", "paused", "waiting-children"] {
        let b = Bench::new(&format!("holder-{name}")).await;
        let first = b.add(dedup("p")).await;
        b.raw("HSET", name, &["name", "n"]).await;
        b.clock.advance(3_600_000);
        let again = b.add(dedup("p")).await;
        assert_eq!((again.id, again.outcome), (first.id, Outcome::Deduplicated), "{name}");
    }
}

/// The record is written over, and what the new rule has not goes.
#[tokio::test]
async fn a_scheduler_s_record_is_whole_after_every_upsert() {
    let b = Bench::new("upsert").await;
    use shared::queue::schedule::{Rule, Scheduler};
    let scheduler = |rule, data: &str| Scheduler {
        id: "s".to_owned(),
        name: "n".to_owned(),
        data: data.to_owned(),
        rule,
        ..Scheduler::default()
    };
    let every = Rule::Every { every_ms: 60_000, offset_ms: 0 };
    b.queue.schedule(&scheduler(every, r#"{"a":1}"#)).await.unwrap();
    assert!(b.field("repeat:s", "every").await.is_some());
    let pattern = Rule::Pattern { pattern: "0 0 * * *".to_owned(), tz: None, immediately: false };
    b.queue.schedule(&scheduler(pattern, "{}")).await.unwrap();
    for field in ["every", "data"] {
        assert_eq!(b.field("repeat:s", field).await, None, "{field}");
    }
    assert!(b.field("repeat:s", "pattern").await.is_some());
}
