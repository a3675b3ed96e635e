//! Every pair of rows and score that the platform's own code produced must come out the same.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde::Deserialize;
use serde_json::{Value, json};
use shared::deo::{Page, Product, Score, Tally, instant};

const GOLDEN: &str = include_str!("golden/public.jsonl");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    #[serde(rename = "now", deserialize_with = "instant")]
    now_ms: i64,
    crawl_results: Vec<Page>,
    products: Vec<Product>,
    expected: Value,
}

fn score(case: &Case) -> Value {
    let mut tally = Tally::default();
    case.crawl_results.iter().for_each(|page| tally.add_page(&page.facts()));
    case.products.iter().for_each(|product| tally.add_product(&product.facts()));
    json!(Score::of(tally.signals(case.now_ms)))
}

#[test]
fn every_case_matches() {
    let mut cases = 0;
    for line in GOLDEN.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let score = score(&case);
        for model in ["v1", "v2"] {
            assert_eq!(score[model], case.expected[model], "{} {model}", case.name);
        }
        let expected = case.expected["signals"].as_object().unwrap();
        let signals = score["signals"].as_object().unwrap();
        assert!(signals.keys().eq(expected.keys()), "{}", case.name);
        for (signal, value) in expected {
            // The specification allows 1e-12. All 4,097 are equal to the last bit.
            assert_eq!(signals[signal].as_f64(), value.as_f64(), "{} {signal}", case.name);
        }
        cases += 1;
    }
    assert_eq!(cases, 241);
}
