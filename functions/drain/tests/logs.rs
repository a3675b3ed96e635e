//! What the function logs while it runs: the real binary on Lambda's Runtime API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../telemetry/tests/runtime_api/mod.rs"]
mod runtime_api;

use serde_json::json;

#[test]
fn every_line_says_which_request_and_queue_it_is_about() {
    let event = json!({ "version": "0", "detail-type": "Scheduled Event", "detail": {} });
    for level in ["INFO", "ERROR"] {
        // Nothing listens there.
        let settings = [
            ("REDIS_URL", "redis://default:hidden@127.0.0.1:1"),
            ("DATABASE_URL", "postgres://u:hidden@127.0.0.1:1/x"),
            ("REDIS_PREFIX", "engineo_test"),
            ("AWS_LAMBDA_LOG_LEVEL", level),
        ];
        let events = [event.clone(), event.clone()];
        let run = runtime_api::run(env!("CARGO_BIN_EXE_drain"), &settings, &events);
        assert!(run.answers.iter().all(|(kind, _)| kind == "error"), "{:?}", run.answers);
        run.hold_log("tcp", "engineo_test");

        // A figure of each tick, failed ones included: the drain's heartbeat.
        let ticks = run.lines.iter().filter(|line| line["_aws"].is_object() && line["Ticks"] == 1);
        assert_eq!(ticks.count(), 2);
    }
}
