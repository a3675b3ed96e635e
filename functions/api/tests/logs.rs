//! What the function logs while it runs: the real binary on Lambda's Runtime API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../telemetry/tests/runtime_api/mod.rs"]
mod runtime_api;

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
    for (n, cold) in [(1, true), (2, false)] {
        let (kind, answer) = &run.answers[n - 1];
        assert_eq!((kind.as_str(), &answer["statusCode"]), ("response", &json!(503)), "{answer}");
        let lines = run.during(n);
        let told = lines.iter().filter(|line| line["fields"]["message"] == "request").count();
        assert_eq!(told, 1, "{:?}", run.lines);
        for line in lines {
            let span = runtime_api::invocation(line).unwrap();
            assert_eq!(span["coldStart"], cold, "{line}");
            assert_eq!(
                (&span["transport"], &span["prefix"]),
                (&json!("rest"), &json!("engineo_test"))
            );
            assert!(span["xrayTraceId"].is_string() && line["timestamp"].is_string(), "{line}");
        }
    }
    let text = format!("{:?} {:?}", run.lines, run.answers);
    assert!(!text.contains("hidden"), "{text}");
}
