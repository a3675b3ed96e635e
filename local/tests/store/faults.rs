//! Faults of the database: what recovers by itself, and whose fault the rest is.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fixture::database_proxy::through_proxy;
use servers::PostgresServer;
use shared::store::{ErrorKind, Health};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{Bench, Sql, server, store, strings};

#[tokio::test]
async fn nothing_is_opened_before_the_first_question() {
    let bench = Bench::new().await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    assert_eq!(store.health(), Health::Unknown);
    let (one, other) = tokio::join!(store.ping(), store.ping());
    one.and(other).unwrap();
    store.clone().ping().await.unwrap();
    assert_eq!(watch.connections.load(Ordering::SeqCst), 1, "all share one");
    assert_eq!(store.health(), Health::Up);
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_replaced() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    for _ in 0..3 {
        bench.store.ping().await.unwrap();
        let killed = bench
            .sql
            .number(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'deo'",
            )
            .await;
        assert_eq!(killed, 1);
        assert_eq!(bench.store.signals(&strings(&["p"])).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_lost_once_is_asked_for_again_and_lost_twice_is_unavailable() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    store.ping().await.unwrap();
    watch.cuts.store(1, Ordering::SeqCst);
    assert_eq!(store.signals(&strings(&["p"])).await.unwrap().len(), 1);
    assert_eq!(store.health(), Health::Up);
    watch.cuts.store(2, Ordering::SeqCst);
    let error = store.signals(&strings(&["p"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_unavailable());
    assert_eq!(store.health(), Health::Down);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_went_silent_is_replaced_after_a_second() {
    let bench = Bench::new().await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    store.ping().await.unwrap();
    // As after a freeze: no error, no answer. The caller loses patience.
    watch.frozen.store(true, Ordering::SeqCst);
    assert!(timeout(Duration::from_millis(50), store.ping()).await.is_err());
    let asked = Instant::now();
    store.ping().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(watch.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_statement_given_up_halfway_does_not_spoil_the_connection() {
    let bench = Bench::new().await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    store.ping().await.unwrap();
    assert!(timeout(Duration::ZERO, store.ping()).await.is_err());
    store.ping().await.unwrap();
    assert_eq!(watch.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_until_it_is_back() {
    let mut server = PostgresServer::start().await.unwrap();
    let store = store(&server.url());
    store.ping().await.unwrap();
    server.kill();
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(store.health(), Health::Down);
    server.restart().await.unwrap();
    store.ping().await.unwrap();
    assert_eq!(store.health(), Health::Up);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    // Accepts, as a hanging pooler does, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let store = store(&format!("postgres://u:hush@{at}/d?connect_timeout=1"));
    let error = store.ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), format!("Postgres at {at} did not answer within 1 s"));
}

#[tokio::test]
async fn a_full_server_is_unavailable() {
    let bench = Bench::new().await;
    bench.sql.run("CREATE ROLE crowded LOGIN PASSWORD 'hush' CONNECTION LIMIT 0").await;
    let url = bench.url.replace(bench.url.split('@').next().unwrap(), "postgres://crowded:hush");
    let error = store(&url).ping().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("53300")), "{error}");
    bench.sql.run("DROP ROLE crowded").await;
}

#[tokio::test]
async fn wrong_credentials_are_a_matter_of_configuration_and_not_shown() {
    let url = server().await.url();
    let host = url.split('@').next_back().unwrap();
    for wrong in [
        format!("postgres://postgres:hush@{host}"),
        format!("postgres://nobody:hush@{host}"),
        url.replace("/postgres", "/no_such_database").replace("//no_such_database", "//postgres"),
    ] {
        let error = store(&wrong).ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.is_unavailable(), "no job is to blame");
        assert!(error.to_string().contains("check DATABASE_URL"), "{error}");
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(
                !shown.contains("hush") && !shown.contains(url.split([':', '@']).nth(2).unwrap())
            );
        }
    }
}

#[tokio::test]
async fn a_database_without_our_tables_says_what_to_do() {
    let url = server().await.create_database().await.unwrap();
    let error = store(&url).signals(&strings(&["p"])).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Configuration, Some("42P01")));
    assert!(error.to_string().contains("`deo migrate --check`"), "{error}");
}

#[tokio::test]
async fn prisma_options_and_a_schema_work_against_a_real_server() {
    let url = server().await.create_database().await.unwrap();
    let url = format!(
        "{url}?schema=my-shop&pgbouncer=true&connection_limit=1&pool_timeout=20&connect_timeout=15\
         &sslmode=prefer&sslaccept=strict&statement_cache_size=0&socket_timeout=9&application_name=x"
    );
    let database = shared::store::Database::parse(&shared::config::Secret::new(&*url)).unwrap();
    tables::migrations::migrate(&database, false).await.unwrap();
    let plain = Sql::connect(url.split('?').next().unwrap()).await;
    plain
        .run(
            r#"INSERT INTO "my-shop"."User" VALUES ('ann', '', '', NULL, 'USER', now(), now());
            INSERT INTO "my-shop"."Project" (id, "userId", name) VALUES ('p', 'ann', '')"#,
        )
        .await;
    let store = store(&url);
    assert_eq!(store.signals(&strings(&["p"])).await.unwrap().len(), 1);
    let granted = shared::store::Access::Granted;
    assert_eq!(store.access("ann", "p").await.unwrap(), granted);
    assert!(tables::migrations::pending(&database).await.unwrap().is_empty());
    assert_eq!(plain.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await, 0);
}
