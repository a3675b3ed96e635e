//! What the function logs while it runs: the real binary on Lambda's Runtime API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use fixture::runtime_api;
use serde_json::{Value, json};

const HEALTH: &str = include_str!("../../../local/events/health.json");

#[test]
fn every_line_says_which_request_and_queue_it_is_about() {
    let settings = [
        ("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:1"),
        ("UPSTASH_REDIS_REST_TOKEN", "hidden-token"),
        ("DATABASE_URL", "postgres://u:hidden@127.0.0.1:1/x"),
        ("JWT_SECRET", "hidden-secret"),
        ("REDIS_PREFIX", "engineo_test"),
    ];
    let event: Value = serde_json::from_str(HEALTH).unwrap();
    let run = runtime_api::run(env!("CARGO_BIN_EXE_api"), &settings, &[event.clone(), event]);
    for n in 1..=2 {
        let (kind, answer) = &run.answers[n - 1];
        assert_eq!((kind.as_str(), &answer["statusCode"]), ("response", &json!(503)), "{answer}");
        let told = |line: &&&Value| line["fields"]["message"] == "request";
        assert_eq!(run.during(n).iter().filter(told).count(), 1, "{:?}", run.lines);
    }
    run.hold_log("rest", "engineo_test");
}
