//! A database that is now and then much slower than usual: no tick outlives its deadline, and what it
//! cannot finish goes back without an attempt counted.
//!
//! `DEO_SEED` repeats a run's delays; every run prints its seed.

use std::sync::Arc;
use std::time::Duration;

use fixture::database_proxy::through_proxy;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shared::clock::Clock;
use shared::config::Secret;
use shared::engine::StoppedBecause;
use shared::queue::{JobOptions, NewJob, Queue};
use shared::recompute::{recompute_job, ticker};
use shared::redis::{Command, Redis};
use shared::store::{Database, Store};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::world::{World, config, data};

const RUNS: usize = 1_000;
const DRAINS: usize = 20;
const JOBS: usize = 6_000;
/// Of a hundred statements, ninety-nine answer within this; the last takes up to three times as long.
const P99_MS: u64 = 80;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_ticks_over_a_slow_database_all_end_in_time() {
    let seed = std::env::var("DEO_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("seed {seed}: DEO_SEED={seed} repeats the delays");
    let mut world = World::new().await;
    for (name, value) in [
        ("QUEUE_KEEP_COMPLETED", "all"),
        ("QUEUE_KEEP_COMPLETED_SECONDS", "all"),
        ("QUEUE_BATCH_SIZE", "2"),
        // Twenty drains are enough for two cores.
        ("DRAIN_LANES", "1"),
        ("DRAIN_MARGIN_MS", "1000"),
        ("DRAIN_TIMEOUT_MS", "1500"),
    ] {
        world.set(name, value);
    }
    let projects = world.numbered(100).await;
    let jobs: Vec<NewJob> = (0..JOBS)
        .map(|n| {
            let job = recompute_job(&data(&projects[n % projects.len()]), world.queue.options());
            let opts = JobOptions { deduplication: None, ..job.opts.clone() };
            NewJob { opts, ..job }
        })
        .collect();
    let added = world.queue.enqueue(&jobs).await.unwrap();
    let ids: Vec<String> = added.into_iter().map(|added| added.id).collect();

    let (database, watch) = through_proxy(&world.env["DATABASE_URL"]).await;
    let mut random = StdRng::seed_from_u64(seed);
    *watch.delay.lock().unwrap() = Some(Box::new(move || {
        let most = if random.random_ratio(1, 100) { 3 * P99_MS } else { P99_MS };
        Duration::from_millis(random.random_range(0..=most))
    }));
    let settings = Arc::new(config(&world.env));
    let left = Arc::new(Mutex::new(RUNS));
    let drains: Vec<_> = (0..DRAINS)
        .map(|_| {
            let store = Store::with_connections(
                Database::parse(&Secret::new(&*database)).unwrap(),
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

    *watch.delay.lock().unwrap() = None;
    let mut last = world.tick().await;
    // What was not done in time is put off, to be begun by another tick.
    while matches!(last.stopped_because, StoppedBecause::Deadline | StoppedBecause::Held) {
        last = world.tick().await;
    }
    assert_eq!(world.counts().await.completed as usize, JOBS, "{last:?}");
    for id in &ids {
        let key = format!("engineo:deo_score_queue:{id}");
        let attempts = Command::new("HGET").arg(key).arg("atm");
        let attempts = world.call(attempts).await;
        assert_eq!(attempts.as_str(), Some("1"), "job {id}: attempts that were given back count");
    }
    world.check_invariants(&ids, 0).await;
}
