//! `deo bench latency`, as small as it goes: that round trips are counted, and how many there are.

use serde_json::Value;

use crate::process::{deo, json, open_folder};

/// What the lines of a run say of `field`.
fn of(report: &Value, field: &str) -> Vec<u64> {
    let lines = report["lines"].as_array().unwrap();
    lines.iter().map(|line| line[field].as_u64().unwrap()).collect()
}

/// Far enough away that what goes on at once is seen to.
#[test]
fn a_woken_drain_opens_postgres_beside_its_claim_and_looks_at_nothing_first() {
    let folder = open_folder();
    let latency = ["bench", "latency", "--ours", "--runs", "5", "--round-trip", "40", "--json"];
    let report = json(&deo(folder.path()).args(latency).output().unwrap());
    // Cold: the API checks and adds; TCP and the ring; TCP, the user's name and the password with
    // Postgres, and meanwhile TCP and a claim with Redis; the read and the write. Warm: without opening.
    assert_eq!(of(&report, "roundTrips"), [9, 6], "{report}");
    assert_eq!((&report["atMost"], &report["kept"]), (&12.into(), &true.into()));
    for line in report["lines"].as_array().unwrap() {
        let [p50, p99] = ["p50Ms", "p99Ms"].map(|field| line[field].as_f64().unwrap());
        let trips = line["roundTrips"].as_f64().unwrap();
        // The halves on the way to the drain and to the commit are counted as whole.
        assert!(p50 >= (trips - 1.0) * 40.0 && p99 >= p50, "{report}");
    }
    // TLS and another exchange over the password with Postgres; beside them, Redis takes less.
    let report = json(&deo(folder.path()).args(latency).arg("--tls").output().unwrap());
    assert_eq!(of(&report, "roundTrips"), [11, 6], "{report}");
}
