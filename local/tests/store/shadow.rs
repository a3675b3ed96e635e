//! `deo shadow` on the golden cases, whose scores a Node worker stored.

use std::process::Command;

use serde_json::{Value, json};
use tokio_postgres::types::{ToSql, Type};

use super::Bench;
use super::cases::golden;

/// As the platform's worker stores it: no counts of rows, and its own clock.
const STORE: &str = r#"
    INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "contentScore", "entityScore",
        "technicalScore", "visibilityScore", metadata, "computedAt", "updatedAt")
    SELECT 'cl' || $1, $1, (v->>'overall')::int, (v->>'content')::int, (v->>'entities')::int,
        (v->>'technical')::int, (v->>'visibility')::int,
        jsonb_build_object('signals', $2->'signals', 'v1', jsonb_build_object('breakdown', v),
            'v2', jsonb_build_object('modelVersion', 'v2', 'breakdown', $2->'v2')),
        timestamp 'epoch' + $3 * interval '1 millisecond', now()
    FROM (SELECT $2->'v1' AS v) AS it"#;

fn shadow(url: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut deo = Command::new(env!("CARGO_BIN_EXE_deo"));
    let output = deo.args(["shadow", "--json"]).args(arguments).env("DATABASE_URL", url).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).expect(&errors))
}

#[tokio::test]
async fn the_worker_s_scores_are_ours_and_every_difference_is_told_by_whoever_may_only_read() {
    let bench = Bench::new().await;
    let cases = golden();
    for (n, case) in cases.iter().enumerate() {
        let id = format!("case-{n:03}");
        bench.project(&id, &case.crawl_results, &case.products).await;
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&id, Type::TEXT), (&case.expected, Type::JSONB), (&case.now_ms, Type::INT8)];
        bench.sql.0.query_typed(STORE, &params).await.unwrap();
    }
    bench.empty_projects(&["new"]).await;
    let role = bench.url.rsplit('/').next().unwrap().replace("deo_", "reader_");
    bench
        .sql
        .run(&format!(
            r#"CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT SELECT ON "Project", "CrawlResult", "Product",
                "DeoScoreSnapshot" TO {role}"#
        ))
        .await;
    let place = bench.url.split('@').next_back().unwrap();
    let url = format!("postgres://{role}:p@{place}");

    let (code, report) = shadow(&url, &[]);
    assert_eq!((code, &report["projects"]), (Some(0), &json!([])), "{report}");
    assert_eq!(report["same"], cases.len());
    assert_eq!((&report["looked"], &report["unscored"]), (&json!(cases.len() + 1), &json!(1)));

    // One number of each kind, by which a worker could be wrong; and a page that came later.
    bench
        .sql
        .run(
            r#"UPDATE "DeoScoreSnapshot" SET "overallScore" = "overallScore" + 1 WHERE "projectId" = 'case-010';
            UPDATE "DeoScoreSnapshot" SET "visibilityScore" = "visibilityScore" + 2 WHERE "projectId" = 'case-020';
            UPDATE "DeoScoreSnapshot" SET metadata = jsonb_set(metadata, '{signals,crawlHealth}', '0.123')
                WHERE "projectId" = 'case-030';
            UPDATE "DeoScoreSnapshot" SET metadata = NULL, "contentScore" = NULL WHERE "projectId" = 'case-040';
            INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "scannedAt")
                SELECT 'late' || n, 'case-050', '/about', 500, '[]', now() FROM generate_series(1, 50) n;
            UPDATE "Project" SET "currentDeoScoreComputedAt" = now() WHERE id IN ('case-010', 'case-060')"#,
        )
        .await;
    let (code, report) = shadow(&url, &[]);
    assert_eq!(code, Some(1));
    let told = |project: &Value| {
        let one = project["differences"].as_array().unwrap();
        assert_eq!(one.len(), 1, "{project}");
        (project["projectId"].clone(), one[0]["place"].clone())
    };
    let projects: Vec<_> = report["projects"].as_array().unwrap().iter().map(told).collect();
    let expected = [
        ("case-010", "v1.overall"),
        ("case-020", "v1.visibility"),
        ("case-030", "signals.crawlHealth"),
    ];
    assert_eq!(projects, expected.map(|(id, place)| (json!(id), json!(place))));
    let ours = cases[20].expected["v1"]["visibility"].as_i64().unwrap();
    let visibility = &report["projects"][1]["differences"][0];
    assert_eq!((&visibility["ours"], &visibility["stored"]), (&json!(ours), &json!(ours + 2)));
    assert_eq!(report["places"]["v1.overall"], 1);
    assert_eq!((&report["changedSince"], &report["same"]), (&json!(1), &json!(cases.len() - 4)));

    let (code, report) = shadow(&url, &["--since", "2026-01-01T00:00:00Z"]);
    assert_eq!((code, &report["looked"], &report["different"]), (Some(1), &json!(2), &json!(1)));
    let (code, report) = shadow(&url, &["--limit", "5"]);
    assert_eq!((code, &report["looked"]), (Some(0), &json!(5)));
    let scores = r#"SELECT count(*) FROM "DeoScoreSnapshot""#;
    assert_eq!(bench.sql.number(scores).await, cases.len() as i64);
}
