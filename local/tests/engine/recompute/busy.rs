//! No batch blocks the next: what cannot be done now is put off, its mates are done, and no attempt is lost
//! over what hits every job.

use std::time::Duration;

use shared::clock::Clock;
use shared::engine::{Report, StoppedBecause, Ticker};
use shared::recompute::{open_store, ticker};
use tokio::time::Instant;

use super::world::{World, config, connect, queue};

/// A drain that stays, as a warm function does.
struct Drain(Ticker);

impl Drain {
    fn of(world: &World) -> Self {
        let config = config(&world.env);
        let store = open_store(&config, config.drain.lanes).unwrap();
        Self(ticker(queue(&config), store, &config.drain, Clock::System))
    }

    async fn tick(&self) -> Report {
        self.0.tick(Instant::now() + Duration::from_secs(60)).await
    }
}

/// Makes storing a snapshot do something: statements over NEW.
async fn when_stored(world: &World, statements: &str) {
    world
        .database
        .batch_execute(&format!(
            r#"CREATE OR REPLACE FUNCTION stored() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN {statements} RETURN NEW; END$$;
            CREATE OR REPLACE TRIGGER stored BEFORE INSERT ON "DeoScoreSnapshot"
                FOR EACH ROW EXECUTE FUNCTION stored()"#
        ))
        .await
        .unwrap();
}

/// In this world's database alone.
async fn limit(world: &World, setting: &str) {
    let database = world.env["DATABASE_URL"].rsplit('/').next().unwrap();
    let alter = format!("ALTER ROLE postgres IN DATABASE {database} SET {setting}");
    world.database.batch_execute(&alter).await.unwrap();
}

/// Returns as soon as no statement of a drain's is under way.
async fn nothing_is_under_way(world: &World) {
    let busy = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'deo' AND state = 'active' AND datname = current_database()";
    let wait =
        async { while world.database.query_one(busy, &[]).await.unwrap().get::<_, i64>(0) > 0 {} };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("a statement goes on");
}

async fn attempts(world: &World, id: &str) -> Option<String> {
    world.queue.job(id).await.unwrap().unwrap().fields.get("atm").cloned()
}

#[tokio::test]
async fn a_locked_project_is_put_off_and_its_mates_are_done() {
    let world = World::new().await;
    let projects = world.numbered(10).await;
    let mut ids = world.enqueue(&projects).await;
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    let lock = r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p0004' FOR UPDATE"#;
    blocker.batch_execute(lock).await.unwrap();
    let drain = Drain::of(&world);
    let report = drain.tick().await;
    assert_eq!((report.completed, report.failed, report.retried), (9, 0, 0), "{report:?}");
    assert_eq!((report.stopped_because, &report.error), (StoppedBecause::Held, &None));
    assert_eq!((report.batches, report.remaining.unwrap().prioritized), (1, 1), "{report:?}");
    nothing_is_under_way(&world).await;
    let report = drain.tick().await;
    assert_eq!((report.completed, report.stopped_because), (0, StoppedBecause::Held));
    // Others do not even wait for it.
    let more = world.projects(["another".to_owned()]).await;
    ids.extend(world.enqueue(&more).await);
    assert_eq!(drain.tick().await.completed, 1);
    assert_eq!(attempts(&world, &ids[4]).await, None);
    blocker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(drain.tick().await.completed, 1);
    world.check_invariants(&ids, 0).await;
}

/// A small batch size: the locked ones come round again and again.
#[tokio::test]
async fn locked_projects_stop_neither_the_batches_behind_them_nor_the_tick() {
    let mut world = World::new().await;
    world.set("QUEUE_BATCH_SIZE", "2");
    let projects = world.numbered(7).await;
    let ids = world.enqueue(&projects).await;
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    let lock = r#"BEGIN; SELECT 1 FROM "Project" WHERE id < 'p0003' FOR UPDATE"#;
    blocker.batch_execute(lock).await.unwrap();
    let report = Drain::of(&world).tick().await;
    assert_eq!((report.completed, report.stopped_because), (4, StoppedBecause::Held), "{report:?}");
    blocker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(world.tick().await.completed, 3);
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn projects_too_slow_for_their_batch_are_done_alone_and_each_tick_comes_further() {
    let mut world = World::new().await;
    world.set("DRAIN_TIMEOUT_MS", "20000");
    world.set("DRAIN_MARGIN_MS", "2000");
    let projects = world.numbered(8).await;
    let ids = world.enqueue(&projects).await;
    // Together they take as long as a tick, and not a batch's first try.
    when_stored(&world, r#"IF NEW."projectId" < 'p0005' THEN PERFORM pg_sleep(3); END IF;"#).await;
    let drain = Drain::of(&world);
    let first = drain.tick().await;
    assert!(first.completed >= 3, "its mates are done at once: {first:?}");
    let mut completed = first.completed;
    while completed < 8 {
        nothing_is_under_way(&world).await;
        let report = drain.tick().await;
        assert_ne!(report.stopped_because, StoppedBecause::Error, "{report:?}");
        assert!(report.completed > 0, "a tick came no further: {report:?}");
        completed += report.completed;
    }
    for id in &ids {
        assert_eq!(attempts(&world, id).await.as_deref(), Some("1"), "job {id}");
    }
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn a_role_s_time_limit_that_hits_everything_costs_no_attempt() {
    let world = World::new().await;
    let projects = world.numbered(5).await;
    let ids = world.enqueue(&projects).await;
    when_stored(&world, "PERFORM pg_sleep(60);").await;
    limit(&world, "statement_timeout = '100ms'").await;
    for _ in 0..4 {
        let report = world.tick().await;
        assert_eq!((report.claimed, report.released), (5, 5), "{report:?}");
        assert_eq!(report.stopped_because, StoppedBecause::Error);
        assert!(report.error.is_some_and(|error| error.contains("57014")));
    }
    for id in &ids {
        assert_eq!(attempts(&world, id).await, None);
    }
    limit(&world, "statement_timeout = 0").await;
    when_stored(&world, "").await;
    assert_eq!(world.tick().await.completed, 5);
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn a_role_s_time_limit_that_hits_one_project_costs_that_one_an_attempt() {
    let world = World::new().await;
    let ids = world.enqueue(&world.numbered(5).await).await;
    when_stored(&world, r#"IF NEW."projectId" = 'p0002' THEN PERFORM pg_sleep(60); END IF;"#).await;
    limit(&world, "statement_timeout = '1s'").await;
    let report = world.tick().await;
    assert_eq!((report.completed, report.retried, report.failed), (4, 1, 0), "{report:?}");
    assert_eq!(report.remaining.unwrap().delayed, Some(1));
    assert_eq!(attempts(&world, &ids[2]).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_batch_that_an_admin_cancels_is_done_in_the_same_tick() {
    let world = World::new().await;
    let projects = world.numbered(5).await;
    let ids = world.enqueue(&projects).await;
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    let lock = r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p0004' FOR UPDATE"#;
    blocker.batch_execute(lock).await.unwrap();
    let drain = Drain::of(&world);
    let tick = tokio::spawn(async move { drain.tick().await });
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while world.database.query_one(cancel, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!tick.is_finished(), "the tick ended before Postgres held it up");
    }
    let report = tick.await.unwrap();
    assert_eq!((report.completed, report.stopped_because), (4, StoppedBecause::Held), "{report:?}");
    blocker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(world.tick().await.completed, 1);
    assert_eq!(attempts(&world, &ids[4]).await.as_deref(), Some("1"));
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn a_trigger_s_exception_fails_the_attempt_of_its_project_and_of_nobody_when_it_hits_all() {
    let world = World::new().await;
    let projects = world.numbered(5).await;
    let ids = world.enqueue(&projects).await;
    when_stored(&world, "RAISE 'no';").await;
    for _ in 0..4 {
        let report = world.tick().await;
        assert_eq!((report.claimed, report.released), (5, 5), "{report:?}");
        assert_eq!(report.stopped_because, StoppedBecause::Error);
        assert!(report.error.is_some_and(|error| error.contains("P0001")));
    }
    when_stored(&world, r#"IF NEW."projectId" = 'p0002' THEN RAISE 'no'; END IF;"#).await;
    let report = world.tick().await;
    assert_eq!((report.completed, report.retried, report.failed), (4, 1, 0), "{report:?}");
    assert_eq!(attempts(&world, &ids[2]).await.as_deref(), Some("1"));
}
