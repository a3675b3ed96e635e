//! `deo` in a world of its own.

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
pub(crate) fn deo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deo"));
    command.env("TMPDIR", folder);
    // A system that runs beside the tests is none of theirs.
    command.env("XDG_RUNTIME_DIR", folder.join("none"));
    // Of all tests together; the person who runs them has others.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    for variable in shared::config::VARIABLES {
        command.env_remove(variable.name);
    }
    command
}

/// A folder like `/tmp`: as root, Postgres works in it under another account.
pub(crate) fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    folder
}

/// The line of JSON that a command printed, which must have gone well.
pub(crate) fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    let folder = open_folder();
    deo(folder.path()).args(arguments).output().unwrap()
}

/// A `deo up` that is ready.
pub(crate) struct Up {
    child: Child,
    places: Value,
    pub(crate) folder: TempDir,
}

impl Up {
    /// Starts it on free ports, with a drain that ticks every second and without bull-board.
    pub(crate) fn start() -> Self {
        Self::start_with(|up| up.arg("--no-board"))
    }

    /// As [`Up::start`], with what `settings` adds to the command instead.
    pub(crate) fn start_with(settings: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let folder = open_folder();
        let mut up = deo(folder.path());
        up.args(["up", "--json", "--every", "1s"]).args([
            "--listen",
            "127.0.0.1:0",
            "--rest-listen",
            "127.0.0.1:0",
        ]);
        let mut child =
            settings(&mut up).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
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
    pub(crate) fn connect(&self, place: &str) -> TcpStream {
        let url = self.place(place);
        let address = url.rsplit('@').next().unwrap().rsplit("//").next().unwrap();
        let stream = TcpStream::connect(address.split('/').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// What it has written to stderr by its end, which is asked for here.
    pub(crate) fn errors(mut self) -> String {
        assert_eq!(self.end_by(Signal::TERM).code(), Some(0));
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }

    /// Whether there is something at the place of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.places[name].is_string()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap()
    }

    pub(crate) fn place(&self, name: &str) -> &str {
        self.places[name].as_str().unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < patience, "{what}");
        sleep(Duration::from_millis(20));
    }
}

pub(crate) fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}
