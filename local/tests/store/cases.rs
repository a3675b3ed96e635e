//! The golden cases as projects: SQL must reduce their rows to the same scores.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::deo::{Score, instant};

use super::Bench;

const GOLDEN: &str = include_str!("../../../shared/tests/golden/public.jsonl");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    #[serde(rename = "now", deserialize_with = "instant")]
    now_ms: i64,
    crawl_results: Value,
    products: Value,
    expected: Value,
}

#[tokio::test]
async fn every_golden_case_scores_the_same_from_sql() {
    let bench = Bench::new().await;
    let cases: Vec<Case> = GOLDEN.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = |n: usize| format!("case-{n}");
    for (n, case) in cases.iter().enumerate() {
        bench.project(&id(n), &case.crawl_results, &case.products).await;
    }
    let ids: Vec<String> = (0..cases.len()).map(id).collect();
    let projects = bench.store.signals(&ids).await.unwrap();
    assert_eq!(projects.len(), 241);
    for (n, case) in cases.iter().enumerate() {
        let rows = projects[&id(n)].as_ref().unwrap();
        let score = json!(Score::of(rows.tally.signals(case.now_ms)));
        for model in ["v1", "v2"] {
            assert_eq!(score[model], case.expected[model], "{} {model}", case.name);
        }
        for (signal, value) in case.expected["signals"].as_object().unwrap() {
            assert_eq!(score["signals"][signal].as_f64(), value.as_f64(), "{} {signal}", case.name);
        }
        assert_eq!(rows.malformed_rows, 0, "{}", case.name);
    }
}
