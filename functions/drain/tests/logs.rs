//! What the function logs while it runs: the real binary on Lambda's Runtime API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../telemetry/tests/runtime_api/mod.rs"]
mod runtime_api;

use serde_json::json;

/// Nothing listens there.
const NOWHERE: [(&str, &str); 3] = [
    ("REDIS_URL", "redis://default:hidden@127.0.0.1:1"),
    ("DATABASE_URL", "postgres://u:hidden@127.0.0.1:1/x"),
    ("REDIS_PREFIX", "engineo_test"),
];

#[test]
fn every_line_says_which_request_and_queue_it_is_about() {
    let event = json!({ "version": "0", "detail-type": "Scheduled Event", "detail": {} });
    let run = runtime_api::run(env!("CARGO_BIN_EXE_drain"), &NOWHERE, &[event.clone(), event]);
    assert!(run.answers.iter().all(|(kind, _)| kind == "error"), "{:?}", run.answers);
    for (n, cold) in [(1, true), (2, false)] {
        let lines = run.during(n);
        assert!(!lines.is_empty(), "{:?}", run.lines);
        for line in lines {
            let span = runtime_api::invocation(line).unwrap();
            assert_eq!(span["coldStart"], cold, "{line}");
            assert_eq!(
                (&span["transport"], &span["prefix"]),
                (&json!("tcp"), &json!("engineo_test"))
            );
            assert!(span["xrayTraceId"].is_string() && line["timestamp"].is_string(), "{line}");
        }
    }
    let text = format!("{:?} {:?}", run.lines, run.answers);
    assert!(!text.contains("hidden"), "{text}");

    // A figure of each tick, failed ones included: the drain's heartbeat.
    let ticks = run.lines.iter().filter(|line| line["_aws"].is_object() && line["Ticks"] == 1);
    assert_eq!(ticks.count(), 2);
}
