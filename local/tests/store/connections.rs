//! Several connections: as many as statements are under way, and no more than there may be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fixture::database_proxy::{Watch, through_proxy};
use shared::config::Secret;
use shared::store::{Database, ErrorKind, Health, Store};
use tokio::task::JoinHandle;

use super::{Bench, Sql, strings};

/// A store with up to `connections`, whose statements over `"Product"` hang until the bench's own
/// connection commits.
struct Held {
    bench: Bench,
    /// Not the one that holds them.
    sql: Sql,
    watch: Arc<Watch>,
    store: Store,
}

impl Held {
    async fn new(connections: usize) -> Self {
        let bench = Bench::new().await;
        bench.empty_projects(&["p"]).await;
        let (url, watch) = through_proxy(&bench.url).await;
        let sql = Sql::connect(&bench.url).await;
        bench.sql.run(r#"BEGIN; LOCK TABLE "Product""#).await;
        Self { store: with_connections(&url, connections), bench, sql, watch }
    }

    /// A statement that hangs.
    fn hanging(&self) -> JoinHandle<usize> {
        let store = self.store.clone();
        tokio::spawn(async move { store.signals(&strings(&["p"])).await.unwrap().len() })
    }

    async fn let_go(&self) {
        self.bench.sql.run("COMMIT").await;
    }

    fn opened(&self) -> u32 {
        self.watch.connections.load(Ordering::SeqCst)
    }
}

fn with_connections(url: &str, connections: usize) -> Store {
    Store::with_connections(Database::parse(&Secret::new(url)).unwrap(), connections)
}

#[tokio::test]
async fn statements_at_a_time_have_a_connection_each_and_further_ones_share() {
    let held = Held::new(2).await;
    let one = held.hanging();
    held.sql.lock_waits(1).await;
    assert_eq!(held.opened(), 1);
    // It is not behind the first.
    held.store.ping().await.unwrap();
    assert_eq!(held.opened(), 2);
    let other = held.hanging();
    held.sql.lock_waits(2).await;
    let third = held.hanging();
    let behind = tokio::time::timeout(Duration::from_millis(50), held.store.ping()).await;
    assert!(behind.is_err(), "it came past those that hang: on a third connection?");
    assert_eq!(held.opened(), 2);
    held.let_go().await;
    for each in [one, other, third] {
        assert_eq!(each.await.unwrap(), 1);
    }
}

#[tokio::test]
async fn one_statement_after_the_other_needs_one_connection() {
    let bench = Bench::new().await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = with_connections(&url, 8);
    for _ in 0..20 {
        store.ping().await.unwrap();
    }
    assert_eq!(watch.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_is_free_again_whatever_became_of_its_statement() {
    let held = Held::new(2).await;
    for _ in 0..3 {
        let given_up = held.hanging();
        held.sql.lock_waits(1).await;
        given_up.abort();
        held.sql.nothing_is_under_way().await;
    }
    let hangs = held.hanging();
    held.sql.lock_waits(1).await;
    let asked = tokio::time::timeout(Duration::from_secs(10), held.store.ping()).await;
    asked.expect("it stands behind the one that hangs").unwrap();
    held.let_go().await;
    assert_eq!(hangs.await.unwrap(), 1);
}

/// Long enough for a connection that is free to be asked whether it still lives.
#[tokio::test]
async fn a_connection_whose_statement_takes_long_is_shared_and_not_given_up() {
    let held = Held::new(1).await;
    let long = held.hanging();
    held.sql.lock_waits(1).await;
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let behind = held.hanging();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(held.opened(), 1);
    held.let_go().await;
    for each in [long, behind] {
        assert_eq!(each.await.unwrap(), 1);
    }
    assert_eq!(held.opened(), 1);
}

/// A role, a pooler or a full server may allow fewer than we may open.
#[tokio::test]
async fn where_no_more_are_allowed_those_that_are_open_are_shared() {
    let held = Held::new(4).await;
    held.sql
        .run(&format!(
            "CREATE ROLE frugal_{0} LOGIN PASSWORD 'hush' CONNECTION LIMIT 2;
            GRANT SELECT ON ALL TABLES IN SCHEMA public TO frugal_{0}",
            std::process::id()
        ))
        .await;
    let owner = held.bench.url.split('@').next().unwrap();
    let frugal = format!("postgres://frugal_{}:hush", std::process::id());
    let (url, watch) = through_proxy(&held.bench.url.replace(owner, &frugal)).await;
    let store = with_connections(&url, 4);
    let reads: Vec<_> = (0..6)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.signals(&strings(&["p"])).await.map(|it| it.len()) })
        })
        .collect();
    held.sql.lock_waits(2).await;
    held.let_go().await;
    for read in reads {
        assert_eq!(read.await.unwrap().unwrap(), 1);
    }
    assert_eq!(store.health(), Health::Up);
    let asked = watch.connections.load(Ordering::SeqCst);
    assert!((2..=10).contains(&asked), "{asked}");
    // Nor is it asked for again and again.
    for _ in 0..5 {
        let (one, other, third) = tokio::join!(store.ping(), store.ping(), store.ping());
        one.and(other).and(third).unwrap();
    }
    assert_eq!(watch.connections.load(Ordering::SeqCst), asked);
    held.sql.run(&format!("ALTER ROLE frugal_{} CONNECTION LIMIT 0", std::process::id())).await;
    store.close().await;
    assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn connections_that_died_while_idle_are_replaced_and_closed_ones_opened_again() {
    let held = Held::new(3).await;
    let busy = [held.hanging(), held.hanging(), held.hanging()];
    held.sql.lock_waits(3).await;
    held.let_go().await;
    for each in busy {
        assert_eq!(each.await.unwrap(), 1);
    }
    let ours = "FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'deo'";
    let killed = held.sql.number(&format!("SELECT count(pg_terminate_backend(pid)) {ours}")).await;
    assert_eq!(killed, 3);
    let pings = || async { tokio::join!(held.store.ping(), held.store.ping(), held.store.ping()) };
    let (one, other, third) = pings().await;
    one.and(other).and(third).unwrap();
    held.store.close().await;
    let gone = async { while held.sql.number(&format!("SELECT count(*) {ours}")).await > 0 {} };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("some stay open");
    let (one, other, third) = pings().await;
    one.and(other).and(third).unwrap();
}
