//! Several queues, one of which has its jobs done over HTTP by a receiver that cannot be reached.

use std::net::TcpListener;
use std::num::NonZeroU32;
use std::time::Duration;

use shared::clock::Clock;
use shared::queue::{Queue, QueueOptions, RateLimit};
use tokio::time::sleep;

use super::world::{Worker, World, asleep, executed};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

/// A world with a queue `crawl` beside that of scores.
async fn two_queues() -> (World, Queue) {
    let mut world = World::start().await;
    // Nobody listens there once it is dropped.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.set("QUEUES", &format!("deo_score_queue,crawl=http://{nobody}/"));
    world.set("QUEUE_HTTP_SECRET", SECRET);
    let options = QueueOptions { name: "crawl".to_owned(), ..world.queue.options().clone() };
    let crawl = Queue::new(world.queue.redis().clone(), &options, Clock::System);
    (world, crawl)
}

/// How late jobs begin that are added to the queue of scores one after another: milliseconds, sorted.
async fn lates(world: &World) -> Vec<i64> {
    let mut lates = Vec::new();
    for project in 1..=5 {
        let id = world.add(project, 0).await;
        world.until(|counts| counts.completed == u64::from(project)).await;
        lates.push(world.late(&id).await);
        sleep(Duration::from_millis(100)).await;
    }
    println!("began late by {lates:?} ms");
    lates.sort_unstable();
    lates
}

#[tokio::test]
async fn a_queue_that_fails_makes_it_deaf_to_no_other() {
    let (world, crawl) = two_queues().await;
    crawl.enqueue(&[world.job(1, 0)]).await.unwrap();
    let mut worker = Worker::start(&world, &["--every", "600s"]).await;
    // Until the time between two tries is some seconds.
    for _ in 0..6 {
        while !worker.line().await.contains(r#""stoppedBecause":"error""#) {}
    }
    let lates = lates(&world).await;
    // The median, since other tests run beside this one.
    assert!(lates[2] < 1_000, "{lates:?}");
    // It is tried again, and its job is where it was.
    while !worker.line().await.contains(r#""stoppedBecause":"error""#) {}
    sleep(Duration::from_millis(200)).await;
    let counts = crawl.counts().await.unwrap();
    assert_eq!((counts.wait + counts.active, counts.failed), (1, 0), "{counts:?}");
    drop(worker);
}

#[tokio::test]
async fn a_queue_that_is_limited_makes_it_deaf_to_no_other() {
    let (world, crawl) = two_queues().await;
    crawl.enqueue(&[world.job(1, 0), world.job(2, 0)]).await.unwrap();
    let number = |number| NonZeroU32::new(number).unwrap();
    let rate = RateLimit { max: number(1), duration_ms: number(600_000) };
    crawl.limit_rate(Some(rate)).await.unwrap();
    let mut worker = Worker::start(&world, &["--every", "600s"]).await;
    while !worker.line().await.contains(r#""stoppedBecause":"error""#) {}
    asleep(&world).await;
    let lates = lates(&world).await;
    assert!(lates[2] < 1_000, "{lates:?}");
    drop(worker);
}

#[tokio::test]
async fn while_idle_it_looks_once_each_time_for_all_of_them() {
    let (world, _) = two_queues().await;
    let worker = Worker::start(&world, &["--every", "1s"]).await;
    asleep(&world).await;
    let before = executed(&world).await;
    sleep(Duration::from_secs(6)).await;
    let after = executed(&world).await;
    let spent = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
    let (looks, waits) = (spent("exists"), spent("bzpopmin"));
    println!("idle for 6 s with two queues, looking each second: {looks} looks, {waits} waits");
    assert!((4..=7).contains(&looks), "{looks}");
    assert!(waits <= 2 * looks + 2, "{waits} waits, {looks} looks");
    drop(worker);
}
