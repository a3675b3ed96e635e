//! A project's scores as a plot shows them, and what reading them takes.

use serde_json::Value;
use shared::store::{Point, Series};

use super::{Bench, NOON, Sql};

const SERIES: &str = include_str!("../../../shared/src/store/sql/series.sql");
const HISTORY: &str = include_str!("../../../shared/src/store/sql/history.sql");

/// Snapshots of `project`, `step` apart from noon on; the score of the `n`th is that of `score`. Their
/// metadata is as long as ours is.
async fn fill(bench: &Bench, project: &str, count: i64, step: &str, score: &str) {
    let sql = format!(
        r#"INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", metadata, "computedAt", "updatedAt")
        SELECT '{project}-' || n, '{project}', {score}, jsonb_build_object('signals', (
                SELECT jsonb_object_agg('aSignalOfSomeLength' || k, random()) FROM generate_series(1, 40) k
                WHERE n >= 0)),
            timestamp '2026-03-01 12:00:00' + n * interval '{step}', now()
        FROM generate_series(0, {count} - 1) n"#
    );
    bench.sql.run(&sql).await;
}

fn scores(series: &Series) -> Vec<(i64, i32)> {
    series.points.iter().map(|it| (it.computed_at_ms - NOON, it.overall)).collect()
}

#[tokio::test]
async fn what_fits_is_shown_as_it_is_and_a_span_has_its_ends() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "other"]).await;
    fill(&bench, "p", 6, "1 second", "(10 * n)::int").await;
    fill(&bench, "other", 3, "1 second", "99").await;
    let series = async |from: Option<i64>, to: Option<i64>| {
        let series = bench.store.series("p", (from, to), 6).await.unwrap();
        assert_eq!(series.snapshots, series.points.len() as u64);
        scores(&series)
    };
    let all = [(0, 0), (1_000, 10), (2_000, 20), (3_000, 30), (4_000, 40), (5_000, 50)];
    assert_eq!(series(None, None).await, all);
    assert_eq!(series(Some(NOON + 1_000), Some(NOON + 3_000)).await, all[1..3]);
    assert_eq!(series(Some(NOON + 1_001), None).await, all[2..]);
    assert_eq!(series(None, Some(NOON)).await, []);
    assert_eq!(series(Some(i64::MIN), Some(i64::MAX)).await, all);
    assert_eq!(series(Some(NOON + 9), Some(NOON - 9)).await, []);
    for nobody in ["gone", "nul\0"] {
        let none = bench.store.series(nobody, (None, None), 400).await.unwrap();
        assert_eq!(none, Series::default(), "{nobody}");
    }
}

/// Whatever the number of points, the first and the newest are there, and no peak is lost.
#[tokio::test]
async fn a_long_span_keeps_its_ends_its_peaks_and_its_bound() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "flat", "once"]).await;
    // Two snapshots stand out for a moment.
    let score = "CASE n WHEN 1234 THEN 97 WHEN 2500 THEN 2 ELSE (50 + n % 7)::int END";
    fill(&bench, "p", 3_000, "8 hours", score).await;
    fill(&bench, "flat", 3_000, "1 minute", "50").await;
    // All in the same millisecond.
    fill(&bench, "once", 1_000, "0", "(n % 100)::int").await;
    let hour = 60 * 60 * 1_000;
    for points in [4, 5, 6, 7, 10, 99, 399, 400] {
        for project in ["p", "flat", "once"] {
            let series = bench.store.series(project, (None, None), points).await.unwrap();
            let found = series.points.len();
            assert!(found <= points as usize, "{found} of {points} points of {project}");
            assert!(series.points.is_sorted_by_key(|it: &Point| it.computed_at_ms));
        }
        let series = bench.store.series("p", (None, None), points).await.unwrap();
        assert_eq!(series.snapshots, 3_000);
        let scores = scores(&series);
        assert_eq!(scores[0], (0, 50));
        assert_eq!(scores.last(), Some(&(2_999 * 8 * hour, 53)));
        assert!(scores.contains(&(1_234 * 8 * hour, 97)), "{points}: the peak is lost");
        assert!(scores.contains(&(2_500 * 8 * hour, 2)), "{points}: the fall is lost");
    }
    let many = bench.store.series("p", (None, None), 400).await.unwrap();
    assert!(many.points.len() > 300, "{}", many.points.len());
    let once = bench.store.series("once", (None, None), 400).await.unwrap();
    let extremes: Vec<i32> = once.points.iter().map(|it| it.overall).collect();
    assert_eq!((extremes[0], extremes.last()), (0, Some(&99)));
}

/// What `EXPLAIN` says of a statement with these values in place of its parameters.
async fn explained(sql: &Sql, statement: &str, values: &[&str]) -> Value {
    let lines = statement.lines().filter(|line| !line.trim().starts_with("--"));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    for (at, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", at + 1), value);
    }
    let rows = sql.rows(&format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}")).await;
    rows[0].get::<_, Value>(0)[0].take()
}

/// Every node that reads a table or an index.
fn scans<'a>(node: &'a Value, found: &mut Vec<&'a Value>) {
    if node["Node Type"].as_str().is_some_and(|kind| kind.contains("Scan") && kind != "CTE Scan")
        && node["Node Type"] != "Subquery Scan"
    {
        found.push(node);
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        scans(child, found);
    }
}

fn buffers(explained: &Value) -> u64 {
    let count = |name: &str| explained["Plan"][name].as_u64().unwrap();
    count("Shared Hit Blocks") + count("Shared Read Blocks")
}

/// 10,000 snapshots are one range of an index. No row is looked at, and so no metadata.
#[tokio::test]
async fn a_series_of_10_000_reads_one_range_of_an_index_and_no_row() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "other"]).await;
    for project in ["p", "other"] {
        fill(&bench, project, 10_000, "8 hours", "(50 + n % 40)::int").await;
    }
    bench.sql.run("VACUUM ANALYZE").await;
    let whole = ["'p'", "timestamp '0001-01-01'", "timestamp '9999-01-01'", "400"];
    let page = ["'p'", "null::timestamp", "null::text", "101", "null::text", "true"];
    let series = explained(&bench.sql, SERIES, &whole).await;
    let history = explained(&bench.sql, HISTORY, &page).await;
    let mut found = Vec::new();
    scans(&series["Plan"], &mut found);
    let mut rows = 0;
    for scan in found {
        assert_eq!(scan["Node Type"], "Index Only Scan", "{series:#}");
        assert_eq!(scan["Heap Fetches"], 0, "{series:#}");
        let index = "deo_DeoScoreSnapshot_projectId_computedAt_overallScore_idx";
        assert_eq!(scan["Index Name"], index);
        rows +=
            (scan["Actual Rows"].as_f64().unwrap() * scan["Actual Loops"].as_f64().unwrap()) as u64;
    }
    // The range once, and each of its ends.
    assert_eq!(rows, 10_002, "{series:#}");
    println!("series: {} blocks; history: {} blocks", buffers(&series), buffers(&history));
    assert!(buffers(&series) <= 5 * buffers(&history));
}

/// What a statement costs the server's processor, in nanoseconds, of `times` runs. Others at work on the
/// machine lengthen no such time, as they do that of a clock on the wall.
#[cfg(target_os = "linux")]
async fn processor_ns(bench: &Bench, pid: i64, times: u32, ask: impl AsyncFn(&Bench)) -> u64 {
    let spent = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = spent();
    for _ in 0..times {
        ask(bench).await;
    }
    spent() - before
}

/// 10,000 snapshots in 400 points take the server at most five times what it takes for a page of 100.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_series_of_10_000_takes_at_most_5_pages_of_history() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    fill(&bench, "p", 10_000, "8 hours", "(50 + n % 40)::int").await;
    bench.sql.run("VACUUM ANALYZE").await;
    let series = async |bench: &Bench| {
        let series = bench.store.series("p", (None, None), 400).await.unwrap();
        assert_eq!((series.snapshots, series.points.len() > 350), (10_000, true));
    };
    let history = async |bench: &Bench| {
        let page = bench.store.history("p", None, 100).await.unwrap();
        assert_eq!(page.snapshots.len(), 100);
    };
    series(&bench).await;
    // The store has one connection, and this is its server's process.
    let pid = "SELECT pid::bigint FROM pg_stat_activity
        WHERE application_name = 'deo' AND datname = current_database()";
    let pid = bench.sql.number(pid).await;
    let (mut series_ns, mut history_ns) = (u64::MAX, u64::MAX);
    for _ in 0..5 {
        series_ns = series_ns.min(processor_ns(&bench, pid, 20, series).await);
        history_ns = history_ns.min(processor_ns(&bench, pid, 20, history).await);
    }
    let (series, history) = (series_ns / 20, history_ns / 20);
    println!("series: {series} ns; history: {history} ns");
    assert!(series <= 5 * history, "series: {series} ns; history: {history} ns");
}
