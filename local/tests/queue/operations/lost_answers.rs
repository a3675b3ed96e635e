//! Calls whose answers were lost on the way.

use super::*;
use shared::queue::schedule::Behind;

#[tokio::test]
async fn a_lost_answer_is_given_again_and_nothing_is_done_twice() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost");
    // The first round makes the scripts known, so that in the second each call is one round trip.
    for round in ["warm", "lost"] {
        let id = |name: &str| format!("{round}-{name}");
        let lose = || {
            if round == "lost" {
                proxy.lose(1)
            }
        };
        b.fail(&[&id("f0")]).await;
        lose();
        assert_eq!(b.queue.retry_by_reason("no").await.unwrap(), 1);
        assert_eq!(b.queue.remove(&id("f0")).await.unwrap(), "wait");
        b.fail(&[&id("f1"), &id("f2"), &id("f3")]).await;
        b.add(&id("d1"), delayed(HOUR)).await;
        b.add(&id("d2"), delayed(HOUR)).await;
        b.plain(&[&id("w1"), &id("w2")]).await;
        lose();
        b.queue.retry(&id("f1"), Ended::Failed, false).await.unwrap();
        lose();
        assert_eq!(b.queue.retry_all(Ended::Failed).await.unwrap(), 2);
        lose();
        b.queue.promote(&id("d1")).await.unwrap();
        lose();
        assert_eq!(b.queue.promote_all().await.unwrap(), 1);
        lose();
        assert_eq!(b.queue.remove(&id("w1")).await.unwrap(), "wait");
        lose();
        let cleaned = b.queue.clean(State::Wait, Duration::ZERO, Some(2)).await.unwrap();
        assert_eq!(cleaned, [id("f1"), id("w2")]);
        lose();
        b.queue.pause().await.unwrap();
        lose();
        b.queue.resume().await.unwrap();
        assert_eq!([b.told("paused").await, b.told("resumed").await], [1, 1]);
        b.queue.pause().await.unwrap();
        lose();
        assert_eq!(b.queue.obliterate(false).await.unwrap(), 4);
        assert_eq!(proxy.left(), 0);
        assert_eq!(b.raw("EXISTS", "meta", &[]).await, Value::Int(0));
    }
}

#[tokio::test]
async fn a_scheduler_whose_answer_is_lost_is_made_once_and_ended_once() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-schedule");
    b.queue.schedule(&hourly("warm")).await.unwrap();
    assert!(b.queue.unschedule("warm").await.unwrap());
    proxy.lose(1);
    let first = b.queue.schedule(&hourly("s")).await.unwrap();
    assert_eq!(proxy.left(), 0);
    let listed = b.queue.schedulers(0, 9).await.unwrap();
    assert_eq!(listed[0].behind, Some(Behind::OverdueSince(NOW)));
    assert_eq!(b.state(&first.job_id).await, Some(State::Wait));
    assert_eq!(b.told("added").await, 2, "one of each scheduler");
    proxy.lose(1);
    assert!(b.queue.unschedule("s").await.unwrap(), "it was there when it was ended");
    assert_eq!(proxy.left(), 0);
    assert!(b.queue.schedulers(0, 9).await.unwrap().is_empty());
}
