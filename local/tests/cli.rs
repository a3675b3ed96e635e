//! The command line from outside: exit codes, JSON, and what it leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// `deo` with a temporary folder of its own and none of the caller's settings.
fn deo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deo"));
    command.env("TMPDIR", folder);
    for variable in shared::config::VARIABLES {
        command.env_remove(variable.name);
    }
    command
}

/// A folder like `/tmp`: as root, Postgres works in it under another account.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    folder
}

fn run(arguments: &[&str]) -> Output {
    let folder = open_folder();
    deo(folder.path()).args(arguments).output().unwrap()
}

/// A `deo up` that is ready.
struct Up {
    child: Child,
    places: Value,
    folder: TempDir,
}

impl Up {
    fn start() -> Self {
        let folder = open_folder();
        let mut child = deo(folder.path())
            .args(["up", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("deo up ended: {errors}");
        }
        let places = serde_json::from_str(&line).unwrap();
        Self { child, places, folder }
    }

    /// A connection to the server at the place of this name.
    fn connect(&self, place: &str) -> TcpStream {
        let url = self.places[place].as_str().unwrap();
        let address = url.rsplit('@').next().unwrap().rsplit("//").next().unwrap();
        let stream = TcpStream::connect(address.split('/').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn signal(mut self, signal: Signal) -> (ExitStatus, TempDir) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        (self.child.wait().unwrap(), self.folder)
    }
}

/// The running processes that have `text` in their command line.
fn processes_with(text: &str) -> Vec<String> {
    let output = Command::new("ps").args(["-A", "-o", "stat=,args="]).output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| !line.starts_with('Z') && line.contains(text))
        .map(str::to_owned)
        .collect()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < patience, "{what}");
        sleep(Duration::from_millis(20));
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

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
fn a_failure_exits_with_1_and_one_sentence() {
    let folder = open_folder();
    let output = deo(folder.path()).arg("up").env("DEO_REDIS", "abacus").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors.trim(), "deo: DEO_REDIS=abacus: use binary, meebis or docker");
    assert!(is_empty(folder.path()));
}

#[test]
fn up_ends_cleanly_on_either_signal() {
    for signal in [Signal::INT, Signal::TERM] {
        let (status, folder) = Up::start().signal(signal);
        assert_eq!(status.code(), Some(0));
        assert_eq!(processes_with(folder.path().to_str().unwrap()), Vec::<String>::new());
        assert!(is_empty(folder.path()), "its folders are gone");
    }
}

#[test]
fn a_killed_up_leaves_no_server_and_no_folder() {
    let up = Up::start();
    let connections = [up.connect("redisUrl"), up.connect("databaseUrl")];
    let (status, folder) = up.signal(Signal::KILL);
    assert_eq!(status.code(), None);
    for mut connection in connections {
        // Ends when the server does; a timeout is an error too, but of another kind.
        let end = connection.read(&mut [0; 64]).map_err(|error| error.kind());
        assert!(matches!(end, Ok(0) | Err(std::io::ErrorKind::ConnectionReset)), "{end:?}");
    }
    eventually("the folders go", || is_empty(folder.path()));
    let name = folder.path().to_str().unwrap();
    eventually("the watchers go", || processes_with(name).is_empty());
}
