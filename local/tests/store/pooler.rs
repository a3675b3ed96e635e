//! Through PgBouncer in transaction mode, where it is installed: every statement may meet another
//! server connection.

use fixture::pooler::Pooler;
use serde_json::json;
use serde_json::value::RawValue;
use shared::store::{Access, ErrorKind, NewSnapshot, Saved};

use super::busy::{nine, when_read};
use super::order::DATABASE_NOW;
use super::save::snapshot;
use super::{Bench, NOON, Sql, store, strings};

/// The pooler gives a statement any of its server connections. What it is asked to cancel is its own.
#[tokio::test]
async fn a_statement_is_cancelled_through_a_pooler() {
    if !Pooler::is_here() {
        return;
    }
    let bench = Bench::new().await;
    let ids = ["p", "q"];
    bench.empty_projects(&ids).await;
    let pooler = Pooler::start(&bench.url).await;
    let store = store(&pooler.url);
    bench.sql.run(r#"BEGIN; SELECT 1 FROM "Project" WHERE id = 'p' FOR UPDATE"#).await;
    let batch = ids.map(|id| snapshot(id, id, NOON, 50));
    let saved = store.save(&batch).await.unwrap();
    assert!(matches!(saved[..], [Saved::Locked, Saved::Stored { .. }]), "{saved:?}");
    let other = Sql::connect(&bench.url).await;
    other.nothing_is_under_way().await;

    let reading = store.clone();
    bench.sql.run(r#"LOCK TABLE "Product""#).await;
    let read = tokio::spawn(async move { reading.signals(&strings(&ids)).await.map(drop) });
    other.somebody_waits_for_a_lock().await;
    read.abort();
    other.nothing_is_under_way().await;
    bench.sql.run("COMMIT").await;
    assert_eq!(store.signals(&strings(&ids)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_pooler_s_time_limit_is_the_moment_s_and_its_full_pool_the_database_s() {
    if !Pooler::is_here() {
        return;
    }
    let (bench, ids) = nine().await;
    // PgBouncer leaves the server's statement to itself: it goes on.
    when_read(&bench, "IF project = 'p4' THEN PERFORM pg_sleep(4); END IF;").await;
    let pooler = Pooler::with(&bench.url, "default_pool_size = 3\nquery_timeout = 1").await;
    let read = store(&pooler.url).signals(&ids).await.unwrap();
    let error = read["p4"].as_ref().unwrap_err();
    assert_eq!((error.kind(), error.is_overdue()), (ErrorKind::Busy, false), "{error}");
    assert_eq!(read.values().filter(|rows| rows.is_ok()).count(), 8);

    let pooler = Pooler::with(
        &bench.url,
        "default_pool_size = 3\nquery_wait_timeout = 1\nmax_db_connections = 1",
    )
    .await;
    let (one, other) = (store(&pooler.url), store(&pooler.url));
    bench.sql.run("BEGIN; LOCK TABLE products").await;
    let reading = ids.clone();
    let held = tokio::spawn(async move { one.signals(&reading).await.map(drop) });
    Sql::connect(&bench.url).await.somebody_waits_for_a_lock().await;
    let error = other.signals(&ids).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    held.abort();
}

#[tokio::test]
async fn everything_works_through_a_pooler_in_transaction_mode() {
    if !Pooler::is_here() {
        return;
    }
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    for id in &ids {
        let page = json!({"url": "/", "statusCode": 200, "issues": [], "scannedAt": "2026-02-01T00:00:00Z"});
        bench.project(id, &json!([page]), &json!([])).await;
    }
    let pooler = Pooler::start(&bench.url).await;
    let url = format!("{}?pgbouncer=true&connection_limit=1&schema=public", pooler.url);
    let drain = |n: i64| {
        let (store, ids, direct) = (store(&url), ids.clone(), bench.url.clone());
        async move {
            let direct = Sql::connect(&direct).await;
            for round in 0..20 {
                let before = direct.number(DATABASE_NOW).await;
                let rows = store.signals(&ids).await.unwrap();
                assert_eq!(rows.len(), 20);
                let after = direct.number(DATABASE_NOW).await;
                let moment = rows[&ids[0]].as_ref().unwrap().read_at_ms;
                assert!((before..=after).contains(&moment), "{before} {moment} {after}");
                let metadata = RawValue::from_string("{}".to_owned()).unwrap();
                let batch: Vec<_> = ids
                    .iter()
                    .map(|id| NewSnapshot {
                        id: format!("{n}-{round}-{id}"),
                        project_id: id.clone(),
                        computed_at_ms: NOON + round,
                        overall: 50,
                        content: 1,
                        entities: 2,
                        technical: 3,
                        visibility: 4,
                        metadata: metadata.clone(),
                    })
                    .collect();
                store.save(&batch).await.unwrap();
                let access = store.access("ann", &ids[0]).await.unwrap();
                assert_eq!(access, Access::Granted);
                assert_eq!(store.history(&ids[0], None, 1).await.unwrap().snapshots.len(), 1);
            }
        }
    };
    tokio::join!(drain(0), drain(1), drain(2), drain(3), drain(4), drain(5));
    assert_eq!(bench.sql.number(r#"SELECT count(*) FROM "DeoScoreSnapshot""#).await, 6 * 20 * 20);
    // Three server connections served six clients, and nothing was left on them.
    let through = Sql::connect(&pooler.url).await;
    let left = "SELECT count(*) FROM pg_prepared_statements";
    let rows = through.0.simple_query(left).await.unwrap();
    let tokio_postgres::SimpleQueryMessage::Row(row) = &rows[1] else { panic!("{rows:?}") };
    assert_eq!(row.get(0), Some("0"));

    // A server connection that dies under the pooler's hands.
    let other = store(&url);
    other.ping().await.unwrap();
    bench
        .sql
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
            AND datname = current_database()",
        )
        .await;
    // Each of the pooler's three server connections may break one more statement, and each says so.
    let mut answers = 0;
    for _ in 0..=3 {
        match other.signals(&strings(&["p00"])).await {
            Ok(rows) => {
                assert_eq!(rows.len(), 1);
                answers += 1;
            }
            Err(error) => assert!(error.is_unavailable(), "{error}"),
        }
    }
    assert!(answers > 0);
}
