//! `deo bench`: the promised figures that are counts, without jitter.

use crate::world::{deo, json, open_folder};

#[test]
fn commands_stay_within_the_budget() {
    let folder = open_folder();
    let output =
        deo(folder.path()).args(["bench", "commands", "--ours", "--json"]).output().unwrap();
    // It exits with 1 when a row is over.
    let report = json(&output);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 8);
    for row in rows {
        let [ours, most] = ["ours", "atMost"].map(|field| row[field].as_f64().unwrap());
        println!("{}: {ours}", row["work"]);
        assert!(ours > 0.0 && ours <= most, "{row}");
    }
}

#[test]
fn scripts_are_small_and_quick_on_a_queue_that_is_not() {
    let folder = open_folder();
    let output = deo(folder.path())
        .args(["bench", "scripts", "--jobs", "20000", "--json"])
        .output()
        .unwrap();
    let report = json(&output);
    assert_eq!(report["scripts"].as_array().unwrap().len(), 5);
    assert_eq!(report["calls"].as_array().unwrap().len(), 10, "{report}");
}
