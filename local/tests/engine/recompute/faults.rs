//! One thing goes wrong at a time, as far as it can.

use std::time::Duration;

use shared::engine::StoppedBecause;
use tokio::process;
use tokio::time::Instant;

use super::world::{World, config, connect, nowhere, recompute};

#[tokio::test]
async fn a_database_that_is_down_costs_no_attempt() {
    let mut world = World::new().await;
    let projects = world.numbered(3).await;
    let ids = world.enqueue(&projects).await;
    let real = world.env["DATABASE_URL"].clone();
    world.set("DATABASE_URL", &nowhere());
    let report = world.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Error);
    assert!(report.error.as_ref().is_some_and(|e| !e.contains("u:p")), "{report:?}");
    assert_eq!((report.claimed, report.released), (3, 3));
    assert_eq!(world.counts().await.active, 0);
    for id in &ids {
        assert_eq!(world.queue.job(id).await.unwrap().unwrap().fields.get("atm"), None);
    }
    world.set("DATABASE_URL", &real);
    assert_eq!(world.tick().await.completed, 3);
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn a_batch_that_would_outlast_the_deadline_goes_back() {
    let mut world = World::new().await;
    world.env.insert("DRAIN_MARGIN_MS".to_owned(), "7000".to_owned());
    world.set("DRAIN_TIMEOUT_MS", "8000");
    let projects = world.numbered(5).await;
    let ids = world.enqueue(&projects).await;
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    blocker.batch_execute(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot""#).await.unwrap();
    let began = Instant::now();
    let report = world.tick().await;
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(report.stopped_because, StoppedBecause::Deadline);
    assert_eq!((report.claimed, report.released), (5, 5));
    blocker.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(world.tick().await.completed, 5);
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn five_drains_at_once_do_every_job_once() {
    let world = World::new().await;
    let projects = world.numbered(600).await;
    let ids = world.enqueue(&projects).await;
    let ticks: Vec<_> = (0..5)
        .map(|_| {
            let recompute = recompute(&config(&world.env));
            tokio::spawn(
                async move { recompute.tick(Instant::now() + Duration::from_secs(50)).await },
            )
        })
        .collect();
    let mut completed = 0;
    for tick in ticks {
        let report = tick.await.unwrap();
        assert_eq!(report.lost, 0);
        completed += report.completed;
    }
    assert_eq!(completed, 600);
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn a_drain_killed_in_the_middle_loses_nothing_and_doubles_nothing() {
    let mut world = World::new().await;
    world.set("QUEUE_BATCH_SIZE", "20");
    let projects = world.numbered(300).await;
    let ids = world.enqueue(&projects).await;
    // Held up between reading and saving, with a batch claimed in each lane and more behind them.
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    for kill in 0..3 {
        blocker.batch_execute(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot""#).await.unwrap();
        let mut drain = process::Command::new(env!("CARGO_BIN_EXE_deo"))
            .args(["drain", "--json"])
            .env_clear()
            .envs(&world.env)
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        while world.held_up().await == 0 {
            assert_eq!(drain.try_wait().unwrap(), None, "the drain ended by itself");
        }
        drain.kill().await.unwrap();
        assert!(world.counts().await.active >= 20, "killed in round {kill} with a batch claimed");
        // Half of the time its statement ends with it, half of the time it is committed after it.
        let end = if kill % 2 == 0 { "COMMIT" } else { "ROLLBACK" };
        blocker.batch_execute(end).await.unwrap();
    }
    for _ in 0..2 {
        world.age().await;
        world.tick().await;
    }
    let counts = world.counts().await;
    assert_eq!((counts.completed, counts.failed, counts.active), (300, 0, 0), "{counts:?}");
    world.check_invariants(&ids, 0).await;
}
