//! Runs the drain's real binary for forty invocations with deadlines of one to five seconds, over a slow database: none
//! outlives its deadline, and none ends a job whose lock is over.
//!
//! `DEO_SEED` repeats a run's deadlines and delays; every run prints its seed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fixture::built::functions;
use local::runtime_api::Function;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shared::engine::{Report, StoppedBecause};
use shared::redis::Command;
use tokio::time::Instant;

use super::slowness::Slow;
use super::world::World;

const FUNCTIONS: u64 = 4;
const INVOCATIONS: u32 = 10;
const JOBS: usize = 3_000;

/// How much longer than its tick's deadline a lock lives, but for the time between two looks at it.
const AFTER_THE_DEADLINE_MS: i64 = 25_000;

const EVENT: &str = r#"{"version":"0","detail-type":"Scheduled Event","detail":{}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn real_invocations_end_before_their_deadlines() {
    let seed = std::env::var("DEO_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("seed {seed}: DEO_SEED={seed} repeats the deadlines");
    let settings = [("QUEUE_BATCH_SIZE", "5"), ("DRAIN_MARGIN_MS", "900"), ("DRAIN_LANES", "1")];
    let mut slow = Slow::new(seed, JOBS, &settings).await;
    let mut env = slow.world.env.clone();
    env.insert("DATABASE_URL".to_owned(), slow.database.clone());
    let env: Vec<(String, String)> = env.into_iter().collect();
    let drain = functions().join("drain");
    let held_up = watch_ourselves();
    let invocations: Vec<_> = (0..FUNCTIONS)
        .map(|n| {
            let (drain, env, held_up) = (drain.clone(), env.clone(), held_up.clone());
            tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(seed.wrapping_add(n));
                let none: [&str; 0] = [];
                let mut function = Function::start("drain", drain, &none, &env).await.unwrap();
                let (mut late, mut completed) = (0, 0);
                for _ in 0..INVOCATIONS {
                    let time = Duration::from_millis(random.random_range(1_000..=5_000));
                    let done = function.invoke_within(EVENT, time).await.unwrap();
                    let report: Report = serde_json::from_str(&done.answer).unwrap();
                    // By its own clock, and by ours but for what held us up.
                    assert!(
                        u128::from(report.duration_ms) < time.as_millis(),
                        "{time:?}: {report:?}"
                    );
                    let held_up = Duration::from_millis(held_up.load(Ordering::Relaxed));
                    let took = done.took.saturating_sub(held_up);
                    assert!(took < time, "{took:?} and {held_up:?} of {time:?}: {report:?}");
                    let bad = (report.failed, report.retried, report.lost);
                    assert_eq!(bad, (0, 0, 0), "{report:?}");
                    late += u32::from(report.stopped_because == StoppedBecause::Deadline);
                    completed += report.completed;
                }
                function.stop().await;
                (late, completed)
            })
        })
        .collect();
    // Whatever moment it is, whoever has a job has it until well after the deadline.
    let mut locked = BTreeSet::new();
    while !invocations.iter().all(tokio::task::JoinHandle::is_finished) {
        for (lock, left_ms) in locks(&slow.world).await {
            assert!(left_ms >= AFTER_THE_DEADLINE_MS, "{lock} has {left_ms} ms left");
            locked.insert(lock);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(locked.len() > 20, "only {} locks were seen", locked.len());
    let (mut late, mut completed) = (0, 0);
    for invocation in invocations {
        let (some, few) = invocation.await.unwrap();
        (late, completed) = (late + some, completed + few);
    }
    println!("{late} invocations stopped by their time, {completed} jobs completed");
    assert!(late > 20 && completed > 100, "nothing was slow: {late}, {completed}");
    assert_eq!(slow.world.counts().await.active, 0, "a job was left behind");

    // What is left is no concern of this test: as quickly as it goes.
    for (name, _) in settings {
        slow.world.env.remove(name);
    }
    slow.end().await;
}

/// For how long at most this process was kept from going on, so far: milliseconds. An answer that came meanwhile
/// was seen as much later.
fn watch_ourselves() -> Arc<AtomicU64> {
    const STEP: Duration = Duration::from_millis(5);
    let longest = Arc::new(AtomicU64::new(0));
    let noted = longest.clone();
    tokio::spawn(async move {
        loop {
            let begun = Instant::now();
            tokio::time::sleep(STEP).await;
            let late = begun.elapsed().saturating_sub(STEP);
            noted.fetch_max(late.as_millis() as u64, Ordering::Relaxed);
        }
    });
    longest
}

/// All locks, and how long each has left: milliseconds. Those that end meanwhile are left out.
async fn locks(world: &World) -> Vec<(String, i64)> {
    let keys = world.call(Command::new("KEYS").arg("engineo:deo_score_queue:*:lock")).await;
    let keys: Vec<String> =
        keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect();
    let ask = keys.iter().map(|key| Command::new("PTTL").arg(key.clone())).collect();
    let left = world.queue.redis().pipeline(ask).await.unwrap();
    let left = left.into_iter().map(|ms| ms.unwrap().as_int().unwrap());
    keys.into_iter().zip(left).filter(|(_, ms)| *ms >= 0).collect()
}
