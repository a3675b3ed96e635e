//! The store, against a real Postgres.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod busy;
mod cases;
mod connections;
mod drops;
mod faults;
mod fit;
mod migrations;
mod order;
mod pooler;
mod projects;
mod retention;
mod save;
mod seed;
mod series;
mod shadow;
mod signals;
mod snapshots;
mod tls;

use std::time::Duration;

use serde_json::Value;
use servers::PostgresServer;
use shared::config::Secret;
use shared::store::{Database, Store};
use tables::migrations::migrate;
use tokio::sync::OnceCell;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row};

/// 2026-03-01T12:00:00.000Z.
const NOON: i64 = 1_772_366_400_000;

/// One server for all tests, one database for each.
async fn server() -> &'static PostgresServer {
    static SERVER: OnceCell<PostgresServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { PostgresServer::start().await.unwrap() }).await
}

/// A database with our tables, its store and a connection past it.
struct Bench {
    url: String,
    store: Store,
    sql: Sql,
}

impl Bench {
    async fn new() -> Self {
        let url = server().await.create_database().await.unwrap();
        migrate(&Database::parse(&Secret::new(&*url)).unwrap(), false).await.unwrap();
        let bench = Self { store: store(&url), sql: Sql::connect(&url).await, url };
        bench
            .sql
            .run(r#"INSERT INTO "User" VALUES ('ann', 'ann@example.com', '', NULL, 'USER', now(), now())"#)
            .await;
        bench
    }

    /// Adds a project of Ann's with pages and products, as the golden file writes them. Their ids
    /// sort in the order given.
    async fn project(&self, id: &str, pages: &Value, products: &Value) {
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&id, Type::TEXT), (&pages, Type::JSONB), (&products, Type::JSONB)];
        self.sql.0.query_typed(INSERT_PROJECT, &params).await.unwrap();
    }

    async fn empty_projects(&self, ids: &[&str]) {
        for id in ids {
            self.project(id, &Value::Array(vec![]), &Value::Array(vec![])).await;
        }
    }
}

const INSERT_PROJECT: &str = r#"
    WITH project AS (INSERT INTO "Project" (id, "userId", name) VALUES ($1, 'ann', $1)),
    pages AS (
        INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", title, "metaDescription", h1,
            "wordCount", issues, "scannedAt")
        SELECT format('%s-c%s', $1, lpad(n::text, 6, '0')), $1, r->>'url', (r->>'statusCode')::int,
            r->>'title', r->>'metaDescription', r->>'h1', (r->>'wordCount')::int, r->'issues',
            (r->>'scannedAt')::timestamptz AT TIME ZONE 'UTC'
        FROM jsonb_array_elements($2) WITH ORDINALITY AS i (r, n))
    INSERT INTO "Product" (id, "projectId", "externalId", title, description, "seoTitle",
        "seoDescription", "lastSyncedAt")
    SELECT format('%s-r%s', $1, lpad(n::text, 6, '0')), $1, n, r->>'title', r->>'description',
        r->>'seoTitle', r->>'seoDescription', (r->>'lastSyncedAt')::timestamptz AT TIME ZONE 'UTC'
    FROM jsonb_array_elements($3) WITH ORDINALITY AS i (r, n)"#;

fn store(url: &str) -> Store {
    Store::new(&Secret::new(url)).unwrap()
}

fn strings(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// A plain connection.
struct Sql(Client);

impl Sql {
    async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    async fn run(&self, statements: &str) {
        self.0.batch_execute(statements).await.unwrap();
    }

    async fn rows(&self, query: &str) -> Vec<Row> {
        self.0.query_typed(query, &[]).await.unwrap()
    }

    async fn number(&self, query: &str) -> i64 {
        self.rows(query).await[0].get(0)
    }

    /// Returns as soon as no statement of a store's is under way in this database.
    async fn nothing_is_under_way(&self) {
        let busy = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'deo' AND state = 'active' AND datname = current_database()";
        let wait = async { while self.number(busy).await > 0 {} };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("a statement goes on");
    }

    /// Returns as soon as a statement in this database waits for another's lock. To be asked over a
    /// connection of its own: inside a transaction, the answer would never change.
    async fn somebody_waits_for_a_lock(&self) {
        self.lock_waits(1).await;
    }

    /// The same for so many statements.
    async fn lock_waits(&self, statements: i64) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND datname = current_database()";
        let wait = async { while self.number(waiting).await < statements {} };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("nobody waits for a lock");
    }
}
