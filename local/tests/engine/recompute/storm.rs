//! Everything goes wrong at once: Upstash, its network and Postgres, under producers and drains that
//! run side by side.
//!
//! `DEO_SEED` repeats a run's faults; every run prints its seed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fixture::database_proxy::through_proxy;
use gateway::{Gateway, GatewayConfig};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shared::clock::Clock;
use shared::config::{Endpoint, Secret};
use shared::engine::StoppedBecause;
use shared::queue::{NewJob, Outcome, Queue};
use shared::recompute::{recompute_job, ticker};
use shared::redis::{Limits, Options, Redis};
use shared::store::{Database, Store};
use tokio::time::{Instant, sleep, timeout};

use super::world::{World, config, data};

const FAULTS: &str = "latency=20ms:0.1,429=0.05,500=0.05,502html=0.05,503=0.05,reset-before=0.05,\
                      reset-after=0.05,truncate=0.05,stall=2s:0.05";
const PRODUCERS: usize = 2;
const CALLS: usize = 40;
const DRAINS: usize = 4;

/// Commands that Redis may execute a job, all that was asked twice included: twice the 6.5 that such a job
/// may cost when nothing fails.
const MOST_COMMANDS: u64 = 13;

/// What producers and drains take at most, many times what they need.
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn each_job_has_one_effect_whatever_fails() {
    storm(&[("QUEUE_KEEP_COMPLETED", "all"), ("QUEUE_KEEP_COMPLETED_SECONDS", "all")]).await;
}

/// By default the newest thousand stay.
#[tokio::test(flavor = "multi_thread")]
async fn each_job_has_one_effect_whatever_fails_and_is_evicted_meanwhile() {
    storm(&[]).await;
}

async fn storm(retention: &[(&str, &str)]) {
    let seed = std::env::var("DEO_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("seed {seed}: DEO_SEED={seed} repeats the faults");
    let mut world = World::new().await;
    let settings =
        [("QUEUE_BATCH_SIZE", "20"), ("DRAIN_MARGIN_MS", "1000"), ("DRAIN_TIMEOUT_MS", "5000")];
    for (name, value) in settings.iter().chain(retention) {
        world.set(name, value);
    }
    let timestamp = Clock::System.now_ms();
    let projects = world.numbered(300).await;
    let gateway = Gateway::start(GatewayConfig {
        faults: FAULTS.parse().unwrap(),
        seed,
        ..GatewayConfig::new(world.redis.url(), "token")
    })
    .await
    .unwrap();
    let (database, watch) = through_proxy(&world.env["DATABASE_URL"]).await;

    let settings = config(&world.env);
    let peer = || {
        let url = gateway.url();
        let rest = Endpoint::Rest { url, token: Secret::new("token"), allow_plaintext: false };
        let limits = Limits { answer: Duration::from_millis(400), ..Limits::default() };
        let redis = Redis::with_options(&rest, Options { limits, ..Options::default() }).unwrap();
        Queue::new(redis, &settings.queue, Clock::System)
    };

    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (queue, projects) = (peer(), projects.clone());
            let mut random = StdRng::seed_from_u64(seed ^ producer as u64);
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for call in 0..CALLS {
                    let jobs: Vec<NewJob> = (0..25)
                        .map(|n| {
                            let project = &projects[random.random_range(0..projects.len())];
                            let mut job = recompute_job(&data(project), queue.options());
                            job.opts.timestamp_ms = Some(timestamp);
                            // Every other job is one that no other stands for.
                            job.opts.deduplication.take_if(|_| n % 2 == 0);
                            job
                        })
                        .collect();
                    let key = format!("{producer}-{call}");
                    accepted.extend(loop {
                        match queue.enqueue_once(&jobs, &key).await {
                            Ok(added) => break added,
                            Err(error) => println!("producer {producer} asks again: {error}"),
                        }
                    });
                }
                accepted
            })
        })
        .collect();

    let over = Arc::new(AtomicBool::new(false));
    let drains: Vec<_> = (0..DRAINS)
        .map(|_| {
            let store =
                Store::with_connections(Database::parse(&Secret::new(&*database)).unwrap(), 2);
            let recompute = ticker(peer(), store, &settings.drain, Clock::System);
            let over = over.clone();
            tokio::spawn(async move {
                let (mut ticks, mut failed) = (0, 0);
                loop {
                    let last = over.load(Ordering::SeqCst);
                    let deadline = Instant::now() + Duration::from_secs(5);
                    let report = recompute.tick(deadline).await;
                    assert!(Instant::now() < deadline, "a tick outlived its deadline: {report:?}");
                    ticks += 1;
                    failed += usize::from(report.stopped_because == StoppedBecause::Error);
                    if last && report.stopped_because == StoppedBecause::Empty {
                        return (ticks, failed);
                    }
                }
            })
        })
        .collect();
    let saboteur = {
        let (over, watch) = (over.clone(), watch.clone());
        let mut random = StdRng::seed_from_u64(!seed);
        tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(random.random_range(100..500))).await;
                watch.cuts.store(random.random_range(1..=2), Ordering::SeqCst);
            }
            watch.cuts.store(0, Ordering::SeqCst);
        })
    };

    let joined = timeout(PATIENCE, async {
        let mut accepted = Vec::new();
        for producer in producers {
            accepted.extend(producer.await.unwrap());
        }
        over.store(true, Ordering::SeqCst);
        saboteur.await.unwrap();
        for drain in drains {
            let (ticks, failed) = drain.await.unwrap();
            println!("a drain ticked {ticks} times, {failed} of them failed");
        }
        accepted
    });
    let mut accepted = joined.await.expect("producers and drains are not done after five minutes");
    // What an owner held that could not be heard any more comes back by recovery.
    for _ in 0..2 {
        world.age().await;
        world.tick().await;
    }
    let counts = world.counts().await;
    println!("{} asked for, {counts:?}", accepted.len());
    assert_eq!(counts.wait + counts.prioritized + counts.delayed + counts.failed, 0, "{counts:?}");
    let jobs: HashSet<&str> = accepted.iter().map(|added| added.id.as_str()).collect();
    let each = world.executed().await / jobs.len() as u64;
    println!("{each} commands a job");
    assert!(each <= MOST_COMMANDS, "{each} commands a job");
    let again = accepted.iter().filter(|added| added.outcome == Outcome::AfterActive).count();
    if retention.is_empty() {
        // What stands for others may be one of those that ran again, with a timestamp of its own.
        accepted.retain(|added| added.outcome == Outcome::Added);
    }
    let ids: Vec<String> = accepted.into_iter().map(|added| added.id).collect();
    if retention.is_empty() {
        let evicted = world.check_invariants_and_evicted(&ids, again, timestamp).await;
        println!("{evicted} evicted");
        assert!(evicted > 100, "{evicted}");
    } else {
        world.check_invariants(&ids, again).await;
    }
    gateway.shutdown().await;
}
