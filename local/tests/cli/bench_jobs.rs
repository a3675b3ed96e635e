//! `deo bench jobs`, as small as it goes: that everybody does the work and is counted.

use serde_json::Value;

use crate::process::{deo, open_folder};

fn report(arguments: &[&str]) -> Value {
    let folder = open_folder();
    let page = folder.path().join("page.html");
    let output = deo(folder.path())
        .args(["bench", "jobs", "--runs", "1", "--json", "--html"])
        .arg(&page)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && !page.contains("NaN"), "{page}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn ours_and_the_floor_do_every_job_and_are_counted() {
    let ours = "ours-tcp,ours-rest,floor-redis,floor-postgres";
    let report =
        report(&["--projects", "40", "--workload", "shops", "--round-trip", "0,2", "--only", ours]);
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 8);
    for line in lines {
        let median = |figure: &str| line["median"][figure].as_f64();
        assert!(median("perSecond").unwrap() > 0.0 && median("cpuMs").unwrap() > 0.0, "{line}");
        let (redis, postgres) =
            (line["subject"] != "floor-postgres", line["subject"] != "floor-redis");
        let commands = median("commands").unwrap();
        assert!(if redis { (4.0..10.0).contains(&commands) } else { commands == 0.0 }, "{line}");
        // A batch is read and saved, whatever its size.
        let statements = median("statements").unwrap() * 40.0;
        assert!(
            if postgres { (2.0..10.0).contains(&statements) } else { statements < 2.0 },
            "{line}"
        );
        let far = line["roundTripMs"] == 2;
        assert_eq!(median("roundTrips").is_some(), far, "{line}");
        assert!(!far || median("roundTrips").unwrap() < 1.0, "{line}");
    }
    assert_eq!(report["bars"].as_array().unwrap().len(), 3, "{report}");
}

#[test]
fn jobs_without_work_are_done_and_added_however_many_wait() {
    let workload = "plain,noop,enqueue,backlog";
    let report = report(&[
        "--projects",
        "20",
        "--workload",
        workload,
        "--backlog",
        "10000",
        "--only",
        "ours-tcp,ours-rest",
    ]);
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 8);
    for line in lines {
        let commands = line["median"]["commands"].as_f64().unwrap();
        assert!((1.0..10.0).contains(&commands), "{line}");
    }
}
