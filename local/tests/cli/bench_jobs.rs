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

#[test]
fn several_drains_share_the_jobs() {
    let few = ["--projects", "40", "--workload", "drains", "--round-trip", "2"];
    let report = report(&[&few[..], &["--only", "ours-tcp"]].concat());
    let lines = report["lines"].as_array().unwrap();
    let drains: Vec<&Value> = lines.iter().map(|line| &line["processes"]).collect();
    assert_eq!(drains, [1, 2, 4, 8]);
    assert!(lines.iter().all(|line| line["jobs"] == 40), "{report}");
}

/// What 400 jobs in four batches one after the other may cost: counts, which are the same on every machine.
/// Lower a figure here when the work gets cheaper.
const COSTS: [(&str, &str, f64); 8] = [
    ("ours-tcp", "commands", 4.185),
    ("ours-tcp", "statements", 0.0225),
    ("ours-tcp", "roundTrips", 0.0575),
    ("ours-tcp", "bytes", 9_281.0),
    ("ours-rest", "commands", 4.18),
    ("ours-rest", "statements", 0.0225),
    ("ours-rest", "roundTrips", 0.05),
    ("ours-rest", "bytes", 9_205.0),
];

#[test]
fn a_job_costs_no_more_than_before() {
    let ours = "ours-tcp,ours-rest";
    let few = ["--projects", "400", "--workload", "shops", "--only", ours];
    let report = report(&[&few[..], &["--round-trip", "2", "--lanes", "1"]].concat());
    let lines = report["lines"].as_array().unwrap();
    let mut table = format!("{:<10} {:<11} {:>9} {:>9}\n", "a job", "", "before", "now");
    let mut is_dearer = false;
    for (subject, figure, before) in COSTS {
        let line = lines.iter().find(|line| line["subject"] == subject).unwrap();
        let now = line["median"][figure].as_f64().unwrap();
        // Ids and times differ by some bytes from run to run.
        is_dearer |= now > before * 1.001;
        table += &format!("{subject:<10} {figure:<11} {before:>9} {now:>9}\n");
    }
    assert!(!is_dearer, "\n{table}");
}
