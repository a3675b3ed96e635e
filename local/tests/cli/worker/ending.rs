//! How it ends, and what it leaves to the next one.

use std::time::Duration;

use rustix::process::Signal;
use shared::redis::Command;
use tokio::time::{Instant, sleep, timeout};

use super::world::{LONG, Worker, World, asleep, halfway, halfway_of};

#[tokio::test]
async fn at_sigterm_it_finishes_its_batch_and_leaves_the_rest() {
    let mut world = World::start().await;
    world.env.insert("DRAIN_LANES".to_owned(), "1".to_owned());
    let (mut worker, blocker) = halfway(&world).await;
    worker.terminate();
    // So that it has heard of that when its batch ends.
    sleep(Duration::from_secs(2)).await;
    // The batch under way goes on, and no other begins.
    blocker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(worker.ended().await.code(), Some(0));
    let counts = world.counts().await;
    assert_eq!((counts.completed, counts.active, counts.wait), (50, 0, 250), "{counts:?}");
    assert_eq!(world.stored().await, (50, 50));
    // A marker is left for the next worker.
    let marker = Command::new("ZCARD").arg("engineo:deo_score_queue:marker");
    assert_eq!(world.queue.redis().call(marker).await.unwrap().as_int(), Some(1));

    let next = Worker::start(&world, &[]).await;
    world.until(|counts| counts.completed == 300).await;
    assert_eq!(world.stored().await, (300, 300));
    drop(next);
}

#[tokio::test]
async fn at_sigterm_a_batch_that_hangs_goes_back() {
    let world = World::start().await;
    let (mut worker, blocker) = halfway(&world).await;
    let begun = Instant::now();
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let counts = world.counts().await;
    assert_eq!((counts.wait, counts.active, counts.completed), (300, 0, 0), "{counts:?}");
    blocker.batch_execute("ROLLBACK").await.unwrap();
    // No attempt was counted, and the same jobs can be done.
    let next = Worker::start(&world, &[]).await;
    world.until(|counts| counts.completed == 300).await;
    let job = world.queue.job("1").await.unwrap().unwrap();
    assert_eq!(job.fields["atm"], "1");
    assert_eq!(world.stored().await, (300, 300));
    drop(next);
}

/// As a terminal sends whose window is closed; a process that does not listen dies of it, its batch locked.
#[tokio::test]
async fn at_sighup_a_batch_that_hangs_goes_back_too() {
    let world = World::start().await;
    let (mut worker, blocker) = halfway(&world).await;
    worker.signal(Signal::HUP);
    assert_eq!(worker.ended().await.code(), Some(0));
    let counts = world.counts().await;
    assert_eq!((counts.wait, counts.active, counts.completed), (300, 0, 0), "{counts:?}");
    blocker.batch_execute("ROLLBACK").await.unwrap();
}

/// As `nohup` has it: a worker without a terminal goes on when that is closed.
#[tokio::test]
async fn at_a_sighup_that_it_was_started_to_ignore_it_goes_on() {
    let mut world = World::start().await;
    world.env.insert("DRAIN_LANES".to_owned(), "1".to_owned());
    let (mut worker, blocker) = halfway_of(&world, || Worker::begin_without_hangup(&world)).await;
    worker.signal(Signal::HUP);
    blocker.batch_execute("ROLLBACK").await.unwrap();
    // One that heard of it would leave what it has not begun.
    world.until(|counts| counts.completed == 300).await;
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
}

#[tokio::test]
async fn at_sigterm_a_sleeper_leaves_the_marker_of_a_delayed_job() {
    let world = World::start().await;
    let mut worker = Worker::start(&world, &[]).await;
    asleep(&world).await;
    world.add(1, 600_000).await;
    // The marker wakes it, to sleep until the job falls due.
    let marker =
        || world.queue.redis().call(Command::new("ZCARD").arg("engineo:deo_score_queue:marker"));
    let taken = async { while marker().await.unwrap().as_int() != Some(0) {} };
    timeout(LONG, taken).await.expect("a marker that was taken");
    asleep(&world).await;
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
    assert_eq!(marker().await.unwrap().as_int(), Some(1));
}

#[tokio::test]
async fn it_takes_over_the_jobs_of_a_worker_that_died() {
    let world = World::start().await;
    let (mut dead, blocker) = halfway(&world).await;
    dead.process.kill().await.unwrap();
    blocker.batch_execute("ROLLBACK").await.unwrap();

    let queue = &world.queue;
    // Its locks run out at once, and so does the time between two checks for stalled jobs (30 s).
    let command = |name: &'static str, key: &str| queue.redis().call(Command::new(name).arg(key));
    let locks = command("KEYS", "engineo:deo_score_queue:*:lock").await.unwrap();
    for lock in locks.as_array().unwrap() {
        command("DEL", lock.as_str().unwrap()).await.unwrap();
    }
    let next = Worker::start(&world, &["--every", "1s"]).await;
    let recovered = async {
        while queue.counts().await.unwrap().completed < 300 {
            command("DEL", "engineo:deo_score_queue:stalled-check").await.unwrap();
            sleep(Duration::from_millis(500)).await;
        }
    };
    timeout(LONG, recovered).await.expect("all jobs completed");
    assert_eq!(world.stored().await, (300, 300));
    assert_eq!(queue.job("1").await.unwrap().unwrap().fields["stc"], "1");
    drop(next);
}
