//! What the function logs while it runs: the real binary on Lambda's Runtime API.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use fixture::runtime_api;

#[test]
fn every_line_says_which_request_and_queue_it_is_about() {
    for level in ["INFO", "ERROR"] {
        let run = runtime_api::tick_in_vain(env!("CARGO_BIN_EXE_drain"), level);
        // A figure of each tick, failed ones included: the drain's heartbeat.
        let ticks = run.lines.iter().filter(|line| line["_aws"].is_object() && line["Ticks"] == 1);
        assert_eq!(ticks.count(), 2);
    }
}
