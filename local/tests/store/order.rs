//! The moment of a read: by the database's clock, and before its snapshot.

use fixture::database_proxy::{snapshot_is_taken, through_proxy};
use serde_json::json;
use shared::clock::Clock;
use shared::config::Scope;
use shared::store::{NewSnapshot, Stretch};

use super::{Bench, Sql, store, strings};

/// Milliseconds since the Unix epoch, rounded down.
pub(super) const DATABASE_NOW: &str =
    "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

const PAGE: &str = r#"INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "scannedAt")
    VALUES ('c', 'p', '/', 200, '[]', now() AT TIME ZONE 'UTC')"#;

#[tokio::test]
async fn rows_come_with_the_moment_of_their_read() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    // A session's time zone must not matter.
    let name = bench.url.rsplit('/').next().unwrap();
    bench.sql.run(&format!("ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")).await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    let mut before = bench.sql.number(DATABASE_NOW).await;
    for _ in 0..3 {
        let rows = store.signals(&strings(&["p", "q", "gone"])).await.unwrap();
        assert_eq!(watch.statements(), 1, "no further round trip");
        let moment = rows["p"].as_ref().unwrap().read_at_ms;
        assert_eq!(rows["q"].as_ref().unwrap().read_at_ms, moment);
        let after = bench.sql.number(DATABASE_NOW).await;
        assert!((before..=after).contains(&moment), "{before} {moment} {after}");
        before = moment;
    }
}

/// Wherever between two messages of the statement the row comes.
#[tokio::test]
async fn a_row_that_comes_during_a_read_is_later_than_its_moment() {
    // Before the server runs the statement, and before it is asked for the answer.
    for message in [b'E', b'S'] {
        let bench = Bench::new().await;
        bench.empty_projects(&["p"]).await;
        let (url, watch) = through_proxy(&bench.url).await;
        let (reached, go_on) = watch.hold(message);
        let reader = store(&url);
        let reading = tokio::spawn(async move { reader.signals(&strings(&["p"])).await });
        reached.await.unwrap();
        snapshot_is_taken(&Sql::connect(&bench.url).await.0).await;
        bench.sql.run(PAGE).await;
        let scanned =
            r#"SELECT (extract(epoch FROM "scannedAt") * 1000)::bigint FROM "CrawlResult""#;
        let scanned = bench.sql.number(scanned).await;
        // Until a later moment would differ.
        while bench.sql.number(DATABASE_NOW).await <= scanned {}
        go_on.send(()).unwrap();
        let mut rows = reading.await.unwrap().unwrap();
        let rows = rows.remove("p").unwrap().unwrap();
        let signals = json!(rows.tally.signals(Clock::System.now_ms()));
        assert_eq!(signals["crawlHealth"], 0.0, "the page is not among its rows");
        assert!(rows.read_at_ms <= scanned, "{} is after {scanned}", rows.read_at_ms);

        let metadata = serde_json::value::to_raw_value("").unwrap();
        let snapshot = NewSnapshot {
            id: "s".to_owned(),
            project_id: "p".to_owned(),
            computed_at_ms: rows.read_at_ms,
            overall: 9,
            content: 0,
            entities: 17,
            technical: 17,
            visibility: 0,
            metadata,
        };
        bench.store.save(&[snapshot]).await.unwrap();
        let first = Stretch { after: None, until: None, look_at: 1, take: 1 };
        let stale = bench.store.projects_page(Scope::Stale, first, 7).await.unwrap();
        assert_eq!(stale.ids, ["p"]);
    }
}
