//! Retention: what goes, what stays, and that the newest always does.

use shared::config::SnapshotRetention::{All, Newest, WeeklyAfterDays};

use super::{Bench, NOON};

/// NOON is a Sunday.
const DAYS_AGO: [u32; 9] = [0, 1, 6, 7, 8, 13, 14, 20, 400];

/// A snapshot of `p` for each of `DAYS_AGO`, and one of another project long ago.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "other"]).await;
    for days in DAYS_AGO {
        bench.sql.run(&insert(&format!("{days:03}"), "p", days)).await;
    }
    bench.sql.run(&insert("other", "other", 900)).await;
    bench
}

fn insert(id: &str, project: &str, days: u32) -> String {
    format!(
        r#"INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "computedAt", "updatedAt")
        VALUES ('{id}', '{project}', 1, timestamp '2026-03-01 12:00' - {days} * interval '1 day', now())"#
    )
}

/// How long ago the snapshots of `p` were computed.
async fn left(bench: &Bench) -> Vec<u32> {
    let rows = bench
        .sql
        .rows(r#"SELECT id FROM "DeoScoreSnapshot" WHERE "projectId" = 'p' ORDER BY id"#)
        .await;
    rows.iter().map(|row| row.get::<_, &str>(0).parse().unwrap()).collect()
}

#[tokio::test]
async fn each_rule_keeps_what_it_says() {
    for (rule, kept) in [
        (All, &DAYS_AGO[..]),
        (Newest(9), &DAYS_AGO[..]),
        (Newest(4), &[0, 1, 6, 7]),
        (Newest(1), &[0]),
        // Weeks end on Sundays: 0..=6, 7..=13, 14..=20 days ago, and one long ago.
        (WeeklyAfterDays(0), &[0, 7, 14, 400]),
        (WeeklyAfterDays(8), &[0, 1, 6, 7, 8, 14, 400]),
        (WeeklyAfterDays(10_000), &DAYS_AGO[..]),
        (WeeklyAfterDays(u32::MAX), &DAYS_AGO[..]),
    ] {
        let bench = bench().await;
        let gone = bench.store.prune_snapshots(&["p", "nul\0"], rule, NOON).await.unwrap();
        assert_eq!(left(&bench).await, kept, "{rule:?}");
        assert_eq!(gone as usize, DAYS_AGO.len() - kept.len(), "{rule:?}");
        let again = bench.store.prune_snapshots(&["p"], rule, NOON).await.unwrap();
        assert_eq!(again, 0, "{rule:?}");
        let others = r#"SELECT count(*) FROM "DeoScoreSnapshot" WHERE "projectId" = 'other'"#;
        assert_eq!(bench.sql.number(others).await, 1, "{rule:?}");
    }
}

#[tokio::test]
async fn the_newest_stays_however_old_it_is() {
    let bench = bench().await;
    for rule in [Newest(1), WeeklyAfterDays(0)] {
        assert_eq!(bench.store.prune_snapshots(&["other"], rule, NOON).await.unwrap(), 0);
    }
}
