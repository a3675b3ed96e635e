//! Nothing is left behind, however it ends.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::process::Command;

use rustix::process::Signal;

use crate::process::{Up, eventually, is_empty};

/// The command lines of running processes that have `text` in them.
fn processes_with(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = match fs::read_dir("/proc") {
        // A dead process that nobody has asked for yet has an empty command line.
        Ok(processes) => processes
            .flatten()
            .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .collect(),
        Err(_) => {
            let output = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
        }
    };
    lines.retain(|line| line.contains(text));
    lines
}

#[test]
fn up_ends_cleanly_on_either_signal() {
    // SIGTERM is how a server is meant to end; after Ctrl-C a script goes no further.
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 0)] {
        let mut up = Up::start();
        let name = up.folder.path().to_str().unwrap().to_owned();
        assert!(!processes_with(&name).is_empty(), "the servers run");
        assert_eq!(up.end_by(signal).code(), Some(code));
        assert!(is_empty(up.folder.path()), "its folders are gone");
        eventually("all processes are gone", || processes_with(&name).is_empty());
    }
}

#[test]
fn a_killed_up_leaves_no_server_and_no_folder() {
    let mut up = Up::start();
    let connections = [up.connect("redisUrl"), up.connect("databaseUrl")];
    assert_eq!(up.end_by(Signal::KILL).code(), None);
    for mut connection in connections {
        // Ends when the server does; a timeout is an error too, but of another kind.
        let end = connection.read(&mut [0; 64]).map_err(|error| error.kind());
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    }
    eventually("the folders go", || is_empty(up.folder.path()));
    let name = up.folder.path().to_str().unwrap();
    eventually("the watchers go", || processes_with(name).is_empty());
}
