//! `deo chaos` itself: what it lists, that it sees what is broken, that it cuts a set of faults to what breaks it, and
//! that a seed decides.

use std::process::Output;

use serde_json::Value;

use crate::process::{deo, open_folder};

/// Runs it with few jobs and two drains. The functions are there: their own tests have them built.
fn chaos(arguments: &[&str]) -> Output {
    fixture::built::functions();
    let folder = open_folder();
    let mut command = deo(folder.path());
    command.args(["chaos", "--jobs", "60", "--drains", "2"]).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn it_lists_its_faults_and_refuses_others() {
    let list = chaos(&["--list"]);
    let list = text(&list.stdout);
    assert!(list.lines().count() > 30 && list.contains("| `kill` | "), "{list}");
    let unknown = chaos(&["--faults", "kill,no-such-fault"]);
    assert_eq!(unknown.status.code(), Some(1));
    let errors = text(&unknown.stderr);
    assert_eq!(errors.trim(), "deo: \"no-such-fault\" is no fault; `deo chaos --list` lists them");
}

#[test]
fn its_help_says_why_its_table_has_fewer_jobs() {
    let output = chaos(&["--help"]);
    assert!(text(&output.stdout).contains("the table has fewer"), "{}", text(&output.stdout));
}

#[test]
fn what_is_broken_is_seen_named_and_cut_to_the_fault_that_breaks_it() {
    let ran = chaos(&["--seed", "3", "--faults", "script-flush,sabotage,pause", "--shrink"]);
    assert_eq!(ran.status.code(), Some(1));
    let out = text(&ran.stdout);
    assert!(out.contains("| 3 at once | 3 | ") && out.contains(" broken** |"), "{out}");
    assert!(
        out.contains("I9  BROKEN") && out.contains("is stored, and stands in no state"),
        "{out}"
    );
    let fewest = "fewest: deo chaos --seed 3 --jobs 60 --drains 2 --faults sabotage";
    assert_eq!(out.lines().last(), Some(fewest), "{out}");
}

#[test]
fn a_run_holds_whose_drains_are_killed_and_its_notes_are_what_verify_reads() {
    let folder = open_folder();
    let kept = folder.path().join("kept");
    let keep = kept.to_str().unwrap();
    let ran = chaos(&["--seed", "4", "--faults", "kill,row-locks", "--json", "--keep", keep]);
    let verdict: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{verdict}");
    assert_eq!(verdict["verdict"]["holds"], true);
    assert_eq!(verdict["strikes"]["kill"], 2, "{verdict}");
    assert!(verdict["drains"]["killed"].as_u64().unwrap() >= 1, "{verdict}");
    assert_eq!(verdict["faults"], serde_json::json!(["kill", "row-locks"]));
    assert!(verdict["drains"]["invocations"].as_u64().unwrap() > 2, "{verdict}");
    let lines = |name: &str| std::fs::read_to_string(kept.join(name)).unwrap().lines().count();
    assert_eq!(lines("accepted.jsonl"), 60);
    // One an invocation that was not killed, and the bill.
    assert!(lines("evidence.jsonl") > 2);
    let evidence = std::fs::read_to_string(kept.join("evidence.jsonl")).unwrap();
    let count = |kind: &str| evidence.matches(&format!("{{\"kind\":\"{kind}\"")).count() as u64;
    // Every project's first score is a fall, and each is told.
    assert!(count("fall") > 10 && count("event") >= count("fall"), "{evidence}");
    let drops = verdict["verdict"]["findings"].as_array().unwrap().last().unwrap();
    assert_eq!(drops["invariant"], "I10");
    assert_eq!(drops["lookedAt"].as_u64().unwrap(), 2 * count("fall") + count("event"), "{drops}");
}
