//! The golden cases as projects: SQL must reduce their rows to the same scores.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use servers::RedisServer;
use shared::clock::Clock;
use shared::config::Config;
use shared::deo::{Score, instant};
use shared::recompute::{JobData, Reason, open, recompute_job, ticker};
use shared::store::ProjectId;
use tokio::time::Instant;

use super::Bench;

const GOLDEN: &str = include_str!("../../../shared/tests/golden/public.jsonl");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(rename = "now", deserialize_with = "instant")]
    pub(super) now_ms: i64,
    pub(super) crawl_results: Value,
    pub(super) products: Value,
    pub(super) expected: Value,
}

/// The golden cases.
pub(super) fn golden() -> Vec<Case> {
    GOLDEN.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn every_golden_case_scores_the_same_from_sql() {
    let bench = Bench::new().await;
    let cases = golden();
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

#[tokio::test]
async fn every_golden_case_is_drained_to_its_scores() {
    let bench = Bench::new().await;
    let redis = RedisServer::start().await.unwrap();
    let settings = [("REDIS_URL", redis.url()), ("DATABASE_URL", bench.url.clone())];
    let settings: BTreeMap<String, String> = settings.map(|(k, v)| (k.to_owned(), v)).into();
    let config = Config::from_env(&settings).unwrap();
    let clock = Clock::manual(0);
    let (queue, store) = open(&config, clock.clone()).unwrap();
    let recompute = ticker(queue.clone(), store, &config.drain, clock.clone());
    for (n, case) in golden().iter().enumerate() {
        let id = format!("case-{n}");
        bench.project(&id, &case.crawl_results, &case.products).await;
        // A case's score is that of its own moment.
        clock.advance(case.now_ms - clock.now_ms());
        let data = JobData::new(ProjectId::parse(id.clone()).unwrap(), Reason::Manual);
        queue.enqueue(&[recompute_job(&data, &config.queue)]).await.unwrap();
        let report = recompute.tick(Instant::now() + Duration::from_secs(50)).await;
        assert_eq!(
            (report.completed, report.counters.get("malformedRows")),
            (1, 0),
            "{}: {report:?}",
            case.name
        );

        let stored = bench.store.latest_snapshot(&id).await.unwrap().unwrap();
        let v1 = json!({
            "overall": stored.overall, "content": stored.content, "entities": stored.entities,
            "technical": stored.technical, "visibility": stored.visibility,
        });
        assert_eq!(v1, case.expected["v1"], "{}", case.name);
        let metadata: Value = serde_json::from_str(stored.metadata.unwrap().get()).unwrap();
        assert_eq!(metadata["v1"]["breakdown"], case.expected["v1"], "{}", case.name);
        assert_eq!(metadata["v2"]["breakdown"], case.expected["v2"], "{}", case.name);
        let mut components = case.expected["v2"].clone();
        components.as_object_mut().unwrap().remove("overall");
        assert_eq!(metadata["v2"]["components"], components, "{}", case.name);
    }
}
