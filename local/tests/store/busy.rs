//! What cannot be done now: a project that is locked or too slow costs its mates nothing, what is given up
//! is cancelled, and what hits every project is the fault of none.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fixture::database_proxy::through_proxy;
use serde_json::json;
use shared::store::{Error, ErrorKind, Saved};
use tokio::time::Instant;

use super::save::snapshot;
use super::{Bench, NOON, Sql, store, strings};

/// A bench with projects `p0` to `p8`, a page and a product each.
pub(super) async fn nine() -> (Bench, Vec<String>) {
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..9).map(|n| format!("p{n}")).collect();
    let page =
        json!([{"url": "/", "statusCode": 200, "issues": [], "scannedAt": "2026-02-01T00:00:00Z"}]);
    let product =
        json!([{"title": "a", "description": "b", "lastSyncedAt": "2026-02-01T00:00:00Z"}]);
    for id in &ids {
        bench.project(id, &page, &product).await;
    }
    (bench, ids)
}

/// A snapshot of each, with its project's id as its own.
fn snapshots(ids: &[String], after: i64) -> Vec<shared::store::NewSnapshot> {
    ids.iter().map(|id| snapshot(id, id, NOON + after, 50)).collect()
}

fn soon(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// Makes reading a project do something: statements over `project`.
pub(super) async fn when_read(bench: &Bench, statements: &str) {
    bench
        .sql
        .run(&format!(
            r#"CREATE FUNCTION read(project text) RETURNS text STABLE LANGUAGE plpgsql AS
                $$BEGIN {statements} RETURN ''; END$$;
            ALTER TABLE "Product" RENAME TO products;
            CREATE VIEW "Product" AS SELECT id, "projectId", title, "seoTitle", "seoDescription",
                "lastSyncedAt", description || read("projectId") AS description FROM products"#
        ))
        .await;
}

/// Makes storing a snapshot do something: statements over NEW.
async fn when_stored(bench: &Bench, statements: &str) {
    bench
        .sql
        .run(&format!(
            r#"CREATE OR REPLACE FUNCTION stored() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN {statements} RETURN NEW; END$$;
            CREATE OR REPLACE TRIGGER stored BEFORE INSERT ON "DeoScoreSnapshot"
                FOR EACH ROW EXECUTE FUNCTION stored()"#
        ))
        .await;
}

/// The places of those that were stored, and the others' errors.
fn sorted(saved: &[Saved]) -> (Vec<usize>, Vec<&Error>) {
    let stored = saved.iter().enumerate().filter(|(_, fate)| matches!(fate, Saved::Stored { .. }));
    let errors = saved.iter().filter_map(|fate| match fate {
        Saved::Failed(error) => Some(error),
        _ => None,
    });
    (stored.map(|(n, _)| n).collect(), errors.collect())
}

#[tokio::test]
async fn a_locked_project_costs_its_mates_nothing() {
    let (bench, ids) = nine().await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    bench.sql.run(r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p4' FOR UPDATE"#).await;
    let saved = store.save(&snapshots(&ids, 0)).await.unwrap();
    assert!(matches!(saved[4], Saved::Locked), "{saved:?}");
    assert_eq!(sorted(&saved).0, [0, 1, 2, 3, 5, 6, 7, 8], "{saved:?}");
    assert_eq!(watch.statements(), 3, "one that waited, one that did not, and what exists");
    assert_eq!(watch.cancels.load(Ordering::SeqCst), 1);
    assert_eq!(watch.connections.load(Ordering::SeqCst), 1, "the connection is good for more");
    Sql::connect(&bench.url).await.nothing_is_under_way().await;

    // It is known by now. Nobody waits for it again, as long as it is locked.
    let saved = store.save(&snapshots(&ids, 1)).await.unwrap();
    assert!(matches!(saved[4], Saved::Locked), "{saved:?}");
    assert_eq!((sorted(&saved).0.len(), watch.statements()), (8, 2));
    bench.sql.run("COMMIT").await;
    for statements in [1, 1] {
        assert_eq!(sorted(&store.save(&snapshots(&ids, 2)).await.unwrap()).0.len(), 9);
        assert_eq!(watch.statements(), statements);
    }
    assert_eq!(watch.cancels.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_project_that_is_being_deleted_is_locked_and_then_missing() {
    let (bench, ids) = nine().await;
    bench.sql.run(r#"BEGIN; DELETE FROM "Project" WHERE id = 'p4'"#).await;
    let saved = bench.store.save(&snapshots(&ids, 0)).await.unwrap();
    assert!(matches!(saved[4], Saved::Locked), "{saved:?}");
    bench.sql.run("COMMIT").await;
    let saved = bench.store.save(&snapshots(&ids, 0)).await.unwrap();
    assert!(matches!(saved[4], Saved::ProjectMissing), "{saved:?}");
    assert_eq!(sorted(&saved).0.len(), 8);
}

#[tokio::test]
async fn a_project_too_slow_for_its_batch_is_read_alone_the_next_time() {
    let (bench, ids) = nine().await;
    when_read(&bench, "IF project = 'p4' THEN PERFORM pg_sleep(4); END IF;").await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    let read = store.signals_until(&ids, soon(6)).await.unwrap();
    let error = read["p4"].as_ref().unwrap_err();
    assert!(error.is_overdue() && error.kind() == ErrorKind::Busy, "{error}");
    assert_eq!(read.values().filter(|rows| rows.is_ok()).count(), 8);
    Sql::connect(&bench.url).await.nothing_is_under_way().await;
    watch.statements();
    let read = store.signals_until(&ids, soon(20)).await.unwrap();
    assert_eq!(read.values().filter(|rows| rows.is_ok()).count(), 9, "{read:?}");
    assert_eq!(watch.statements(), 2, "its mates, and it");
    assert_eq!(watch.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_project_too_slow_for_its_batch_is_stored_alone_the_next_time() {
    let (bench, ids) = nine().await;
    when_stored(&bench, r#"IF NEW."projectId" = 'p4' THEN PERFORM pg_sleep(4); END IF;"#).await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    let saved = store.save_until(&snapshots(&ids, 0), soon(6)).await.unwrap();
    let (stored, errors) = sorted(&saved);
    assert_eq!(stored, [0, 1, 2, 3, 5, 6, 7, 8], "{saved:?}");
    assert!(errors[0].is_overdue(), "{saved:?}");
    Sql::connect(&bench.url).await.nothing_is_under_way().await;
    watch.statements();
    let saved = store.save_until(&snapshots(&ids, 1), soon(20)).await.unwrap();
    assert_eq!((sorted(&saved).0.len(), watch.statements()), (9, 2), "{saved:?}");
}

/// Time for one of them would be enough, and it would be the first's each time.
#[tokio::test]
async fn a_project_that_no_time_is_enough_for_holds_up_no_other_slow_one() {
    let (bench, _) = nine().await;
    let sleeps = "PERFORM pg_sleep(CASE project WHEN 'p3' THEN 600 WHEN 'p4' THEN 3 ELSE 0 END);";
    when_read(&bench, sleeps).await;
    let ids = strings(&["p3", "p4"]);
    let mut done = false;
    for _ in 0..3 {
        let read = bench.store.signals_until(&ids, soon(5)).await.unwrap();
        assert!(read["p3"].as_ref().is_err_and(Error::is_overdue));
        done |= read["p4"].is_ok();
    }
    assert!(done);
}

#[tokio::test]
async fn what_its_caller_gives_up_is_cancelled() {
    let (bench, ids) = nine().await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    bench.sql.run(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot", "Product""#).await;
    let other = Sql::connect(&bench.url).await;
    let (saving, reading) = (store.clone(), store.clone());
    let batch = snapshots(&ids, 0);
    let save = tokio::spawn(async move { saving.save(&batch).await.map(drop) });
    other.somebody_waits_for_a_lock().await;
    save.abort();
    other.nothing_is_under_way().await;
    let read = tokio::spawn(async move { reading.signals(&ids).await.map(drop) });
    other.somebody_waits_for_a_lock().await;
    read.abort();
    other.nothing_is_under_way().await;
    assert_eq!(watch.cancels.load(Ordering::SeqCst), 2);
    // A late request to cancel must hit nobody else.
    store.ping().await.unwrap();
    assert_eq!(watch.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_locked_table_is_no_project_s_fault() {
    let (bench, ids) = nine().await;
    bench.sql.run(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot", "Product""#).await;
    let read = bench.store.signals_until(&ids, soon(2)).await.unwrap();
    assert!(read.values().all(|rows| rows.as_ref().is_err_and(Error::is_overdue)), "{read:?}");
    let saved = bench.store.save_until(&snapshots(&ids, 0), soon(2)).await.unwrap();
    let (stored, errors) = sorted(&saved);
    assert_eq!((stored.len(), errors.len()), (0, 9), "{saved:?}");
    assert!(errors.iter().all(|error| error.is_overdue()), "{saved:?}");
    Sql::connect(&bench.url).await.nothing_is_under_way().await;
    bench.sql.run("COMMIT").await;
    assert_eq!(bench.store.signals(&ids).await.unwrap().len(), 9);
    assert_eq!(sorted(&bench.store.save(&snapshots(&ids, 0)).await.unwrap()).0.len(), 9);
}

/// As `role` has it, in this database alone.
async fn limited(bench: &Bench, setting: &str) -> shared::store::Store {
    let database = bench.url.rsplit('/').next().unwrap();
    bench.sql.run(&format!("ALTER ROLE postgres IN DATABASE {database} SET {setting}")).await;
    store(&bench.url)
}

#[tokio::test]
async fn a_role_s_time_limit_that_hits_everything_is_nobody_s_fault() {
    let (bench, ids) = nine().await;
    when_read(&bench, "PERFORM pg_sleep(60);").await;
    when_stored(&bench, "PERFORM pg_sleep(60);").await;
    let store = limited(&bench, "statement_timeout = '100ms'").await;
    for ids in [&ids[..], &ids[..1]] {
        let error = store.signals(ids).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, Some("57014")), "{error}");
        let error = store.save(&snapshots(ids, 0)).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, Some("57014")), "{error}");
    }
}

#[tokio::test]
async fn a_role_s_time_limit_that_hits_one_project_is_that_one_s() {
    let (bench, ids) = nine().await;
    when_read(&bench, "IF project = 'p4' THEN PERFORM pg_sleep(60); END IF;").await;
    when_stored(&bench, r#"IF NEW."projectId" = 'p5' THEN PERFORM pg_sleep(60); END IF;"#).await;
    let store = limited(&bench, "statement_timeout = '1s'").await;
    let read = store.signals(&ids).await.unwrap();
    let error = read["p4"].as_ref().unwrap_err();
    assert_eq!((error.code(), error.is_overdue()), (Some("57014"), false), "{error}");
    assert_eq!(read.values().filter(|rows| rows.is_ok()).count(), 8);
    let saved = store.save(&snapshots(&ids, 0)).await.unwrap();
    let (stored, errors) = sorted(&saved);
    assert_eq!((stored.len(), errors[0].code()), (8, Some("57014")), "{saved:?}");
}

#[tokio::test]
async fn a_role_s_lock_timeout_finds_the_locked_project() {
    let (bench, ids) = nine().await;
    let store = limited(&bench, "lock_timeout = '100ms'").await;
    bench.sql.run(r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p4' FOR UPDATE"#).await;
    let saved = store.save(&snapshots(&ids, 0)).await.unwrap();
    assert!(matches!(saved[4], Saved::Locked), "{saved:?}");
    assert_eq!(sorted(&saved).0.len(), 8, "{saved:?}");
    bench.sql.run(r#"LOCK TABLE "DeoScoreSnapshot""#).await;
    let error = store.save(&snapshots(&ids[..4], 1)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, Some("55P03")), "{error}");
}

#[tokio::test]
async fn a_statement_that_an_admin_cancels_is_no_project_s_fault() {
    let (bench, ids) = nine().await;
    bench.sql.run(r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p4' FOR UPDATE"#).await;
    let (saving, batch) = (bench.store.clone(), snapshots(&ids, 0));
    let save = tokio::spawn(async move { saving.save(&batch).await });
    let admin = Sql::connect(&bench.url).await;
    admin.somebody_waits_for_a_lock().await;
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    assert_eq!(admin.number(cancel).await, 1);
    let saved = save.await.unwrap().unwrap();
    assert!(matches!(saved[4], Saved::Locked), "{saved:?}");
    assert_eq!(sorted(&saved).0.len(), 8, "{saved:?}");
}

#[tokio::test]
async fn a_trigger_s_exception_is_the_fault_of_a_project_only_if_its_mates_are_spared() {
    let (bench, ids) = nine().await;
    when_stored(&bench, r#"IF NEW."projectId" IN ('p4', 'p5') THEN RAISE 'no'; END IF;"#).await;
    let saved = bench.store.save(&snapshots(&ids, 0)).await.unwrap();
    let (stored, errors) = sorted(&saved);
    assert_eq!(stored, [0, 1, 2, 3, 6, 7, 8], "{saved:?}");
    assert!(errors.iter().all(|error| error.code() == Some("P0001")), "{saved:?}");
    // Alone, nothing speaks for it.
    let saved = bench.store.save(&snapshots(&ids[4..5], 1)).await.unwrap();
    assert!(matches!(&saved[..], [Saved::Failed(_)]), "{saved:?}");
    when_stored(&bench, "RAISE 'no';").await;
    let error = bench.store.save(&snapshots(&ids, 1)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Data, Some("P0001")), "{error}");
}
