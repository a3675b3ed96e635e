//! `deo bench`: the promised figures that are counts, without jitter.

use serde_json::Value;

use crate::process::{deo, json, open_folder};

#[test]
fn commands_stay_within_the_budget() {
    let folder = open_folder();
    let output =
        deo(folder.path()).args(["bench", "commands", "--ours", "--json"]).output().unwrap();
    // It exits with 1 when a row is over.
    let report = json(&output);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 10);
    for row in rows {
        let [ours, most] = ["ours", "atMost"].map(|field| row[field].as_f64().unwrap());
        println!("{}: {ours}", row["work"]);
        assert!(ours > 0.0 && ours <= most, "{row}");
    }
}

#[test]
fn scripts_are_small_and_each_kind_of_call_is_timed() {
    let folder = open_folder();
    let output = deo(folder.path())
        .args(["bench", "scripts", "--jobs", "20000", "--json"])
        .output()
        .unwrap();
    // Not its exit code: how long a call takes is no promise while other tests run beside it.
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scripts = report["scripts"].as_array().unwrap();
    assert_eq!(scripts.len(), 3);
    assert!(scripts.iter().all(|script| script["bytes"].as_u64().unwrap() <= 20 * 1_024));
    let calls = report["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 10, "{report}");
    assert!(calls.iter().all(|call| call["medianMs"].as_f64().unwrap() > 0.0));
}
