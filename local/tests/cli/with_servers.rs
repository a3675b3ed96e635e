//! `deo with-servers`: a command in the company of the whole system.

use std::process::Output;

use crate::process::{deo, is_empty, open_folder};

/// Runs a line of shell with servers; none of them may be left afterwards.
fn with_servers(line: &str) -> Output {
    let folder = open_folder();
    let output =
        deo(folder.path()).args(["with-servers", "--", "sh", "-c", line]).output().unwrap();
    assert!(is_empty(folder.path()));
    output
}

#[test]
fn the_command_works_with_all_of_it_and_its_exit_code_is_ours() {
    let output = with_servers(
        r#""$DEO" enqueue --all --json && "$DEO" drain --json \
            && REDIS_TRANSPORT=rest "$DEO" drain --json && "$DEO" token --user u1 && exit 7"#,
    );
    let (out, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(7), "{errors}");
    assert!(out.contains(r#""enqueued":20"#) && out.contains(r#""completed":20"#), "{out}");
}

#[test]
fn a_command_that_is_not_there_fails_with_its_name() {
    let folder = open_folder();
    let output =
        deo(folder.path()).args(["with-servers", "--", "no-such-program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("starting no-such-program"));
    assert!(is_empty(folder.path()));
}

#[test]
fn a_signal_ends_the_command_and_everything_around_it() {
    assert_eq!(with_servers("kill -TERM $PPID; exec sleep 60").status.code(), Some(128 + 15));
}
