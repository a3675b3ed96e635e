//! Nothing is left behind, however it ends.

use std::io::{ErrorKind, Read as _};
use std::process::Command;

use rustix::process::Signal;

use crate::world::{Up, eventually, is_empty};

/// The running processes that have `text` in their command line.
fn processes_with(text: &str) -> Vec<String> {
    let output = Command::new("ps").args(["-A", "-o", "stat=,args="]).output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with('Z') && line.contains(text))
        .map(str::to_owned)
        .collect()
}

#[test]
fn up_ends_cleanly_on_either_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut up = Up::start();
        assert_eq!(up.end_by(signal).code(), Some(0));
        assert!(is_empty(up.folder.path()), "its folders are gone");
        let name = up.folder.path().to_str().unwrap();
        eventually("all processes are gone", || processes_with(name).is_empty());
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
