//! A database that is now and then much slower than usual: no tick outlives its deadline, and what it
//! cannot finish goes back without an attempt counted.
//!
//! `DEO_SEED` repeats a run's delays; every run prints its seed.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::Clock;
use shared::config::Secret;
use shared::engine::StoppedBecause;
use shared::queue::Queue;
use shared::recompute::ticker;
use shared::redis::Redis;
use shared::store::{Database, Store};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::slowness::Slow;
use super::world::config;

const RUNS: usize = 1_000;
const DRAINS: usize = 20;
const JOBS: usize = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_ticks_over_a_slow_database_all_end_in_time() {
    let seed = std::env::var("DEO_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("seed {seed}: DEO_SEED={seed} repeats the delays");
    let settings = [
        ("QUEUE_BATCH_SIZE", "2"),
        // Twenty drains are enough for two cores.
        ("DRAIN_LANES", "1"),
        ("DRAIN_MARGIN_MS", "1000"),
        ("DRAIN_TIMEOUT_MS", "1500"),
    ];
    let slow = Slow::new(seed, JOBS, &settings).await;
    let settings = Arc::new(config(&slow.world.env));
    let left = Arc::new(Mutex::new(RUNS));
    let drains: Vec<_> = (0..DRAINS)
        .map(|_| {
            let store = Store::with_connections(
                Database::parse(&Secret::new(&*slow.database)).unwrap(),
                settings.drain.lanes,
            );
            let redis = Redis::new(settings.redis.as_ref().unwrap()).unwrap();
            let queue = Queue::new(redis, &settings.queue, Clock::System);
            let recompute = ticker(queue, store, &settings.drain, Clock::System);
            let left = left.clone();
            tokio::spawn(async move {
                let (mut released, mut late) = (0, 0);
                loop {
                    {
                        let mut left = left.lock().await;
                        if *left == 0 {
                            return (released, late);
                        }
                        *left -= 1;
                    }
                    let deadline = Instant::now() + Duration::from_millis(1_500);
                    let report = recompute.tick(deadline).await;
                    assert!(Instant::now() < deadline, "a tick outlived its deadline: {report:?}");
                    assert_eq!((report.failed, report.retried, report.lost), (0, 0, 0));
                    assert_ne!(report.stopped_because, StoppedBecause::Error, "{report:?}");
                    released += report.released;
                    late += u64::from(report.stopped_because == StoppedBecause::Deadline);
                }
            })
        })
        .collect();
    let (mut released, mut late) = (0, 0);
    for drain in drains {
        let (some, few) = drain.await.unwrap();
        (released, late) = (released + some, late + few);
    }
    println!("{RUNS} ticks, {late} of them stopped by their time, {released} claims given back");
    assert!(late > 0 && released > 0, "nothing was slow");

    slow.end().await;
}
