//! Waits that block while their server is demoted.

use std::time::Duration;

use shared::clock::Clock;
use shared::config::{Endpoint, Secret};
use shared::queue::{NewJob, Queue, QueueOptions, Waited};
use shared::redis::{Limits, Options, Redis};
use tokio::time::{Instant, sleep, timeout};

use super::pair::Pair;
use super::until_info;

#[tokio::test]
async fn a_wait_goes_on_at_the_new_primary() {
    let pair = Pair::start().await;
    let limits = Limits {
        answer: Duration::from_secs(70),
        call: Duration::from_secs(80),
        ..Limits::default()
    };
    let url = Secret::new(format!("redis://127.0.0.1:{}", pair.port()));
    let endpoint = Endpoint::Tcp { url, allow_plaintext: false };
    let redis = Redis::with_options(&endpoint, Options { limits, ..Options::default() }).unwrap();
    let queue = Queue::new(redis, &QueueOptions::new("q"), Clock::System);
    let waiting = queue.clone();
    let waited = tokio::spawn(async move { waiting.wait_for_work(Duration::from_secs(60)).await });
    until_info(&pair.old, &["INFO", "clients"], "blocked_clients:1").await;
    pair.fail_over().await;
    until_info(&pair.new, &["INFO", "clients"], "blocked_clients:1").await;
    assert!(!waited.is_finished());

    let there = queue.over(super::client(pair.new.port()));
    let begun = Instant::now();
    there.enqueue(&[NewJob::new("n", "1")]).await.unwrap();
    let waited = timeout(Duration::from_secs(5), waited).await.expect("the marker wakes it");
    assert_eq!(waited.unwrap().unwrap(), Waited::Work);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_wait_that_begins_at_the_demoted_server_goes_on_at_the_new_primary() {
    let pair = Pair::start().await;
    let queue = Queue::new(pair.client(), &QueueOptions::new("q"), Clock::System);
    queue.peek().await.unwrap();
    pair.fail_over().await;
    let begun = Instant::now();
    let adding = async {
        sleep(Duration::from_millis(300)).await;
        let there = queue.over(super::client(pair.new.port()));
        there.enqueue(&[NewJob::new("n", "1")]).await.unwrap();
    };
    let (waited, ()) = tokio::join!(queue.wait_for_work(Duration::from_secs(5)), adding);
    assert_eq!(waited.unwrap(), Waited::Work);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
