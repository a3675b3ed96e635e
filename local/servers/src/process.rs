//! A server process in a temporary folder that cannot outlive its owner.
//!
//! The process is a group leader, so that a Ctrl-C in the terminal reaches only its owner, who then
//! stops it in order. Beside it, in its group, a few lines of shell wait on a pipe whose other end the
//! owner holds: when the owner is gone, however it went, the pipe ends, and the shell stops the
//! server and removes the folder. While the shell lives, the group's number cannot be given to
//! another process, so the signal always meets the right one.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::time::sleep;

use super::account::Account;
use super::docker;
use super::error::Error;

/// `$1` is the folder to remove, `$2` the signal that stops the server, `$3` a file that is there until
/// the server has stopped (a dead process may keep its number until someone asks for it), the rest is
/// the server's command line. `$$` is the server's number, since `exec` keeps it. The watcher is forked
/// twice so that the server does not find a child that it never had.
const WATCHED: &str = r#"
folder=$1 signal=$2 busy=$3; shift 3
exec 3<&0
( (
  trap '' INT TERM QUIT HUP
  read -r _ <&3
  kill -s "$signal" $$
  tries=0
  while kill -0 $$ && [ -e "$busy" ] && [ $tries -lt 200 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -s KILL $$
  rm -rf "$folder"
) >/dev/null 2>&1 & )
exec "$@" 3<&- </dev/null
"#;

/// How a server is asked to stop at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// It has nothing to clean up.
    Kill,
    /// Postgres' immediate shutdown: it ends its own children and frees shared memory.
    Quit,
    /// It takes containers down first.
    Term,
}

impl Stop {
    /// The shell's name of the signal, the signal, and the file that is there until the server has
    /// stopped.
    fn parts(self) -> (&'static str, Signal, &'static str) {
        match self {
            Self::Kill => ("KILL", Signal::KILL, "none"),
            Self::Quit => ("QUIT", Signal::QUIT, "data/postmaster.pid"),
            Self::Term => ("TERM", Signal::TERM, docker::FILE),
        }
    }
}

/// A temporary folder that belongs to the account under which a server runs.
pub(super) fn folder(prefix: &str, account: Option<&Account>) -> Result<TempDir, Error> {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().map_err(Error::io(format!(
        "making a temporary folder in {} (TMPDIR)",
        std::env::temp_dir().display()
    )))?;
    if let Some(account) = account {
        chown(folder.path(), Some(account.uid), Some(account.gid))
            .map_err(Error::io("giving the temporary folder to an unprivileged account"))?;
    }
    Ok(folder)
}

/// A port on the loopback that is free now; whoever uses it must be ready to find it taken.
pub(super) fn free_port() -> Result<u16, Error> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::io("looking for a free port on 127.0.0.1"))
}

/// `wanted` where it is free now, else another one that is.
pub(super) fn port(wanted: Option<u16>) -> Result<u16, Error> {
    match wanted.filter(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
        Some(port) => Ok(port),
        None => free_port(),
    }
}

/// A running server. Dropping it stops it and waits for its end.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    stop: Stop,
    /// Not left in `child`, whose `wait` would close it and so make the watcher remove the folder.
    _pipe: Option<ChildStdin>,
}

impl Process {
    /// Starts `command` (a program and its arguments) in `folder`, its output going to
    /// `folder/log`, under `account` if one is given.
    pub(super) fn spawn(
        command: &Command,
        folder: &Path,
        account: Option<&Account>,
        stop: Stop,
    ) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .map_err(Error::io("opening a server's log"))?;
        let errors = log.try_clone().map_err(Error::io("opening a server's log"))?;
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", WATCHED, "sh"])
            .arg(folder)
            .args([stop.parts().0, stop.parts().2])
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(account) = account {
            account.apply(&mut shell);
        }
        let mut child = shell.spawn().map_err(Error::io(format!("starting {program}")))?;
        let pipe = child.stdin.take();
        Ok(Self { child, stop, _pipe: pipe })
    }

    /// The server's process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end of a command that ends by itself.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            match self.child.try_wait()? {
                Some(status) => return Ok(status),
                None => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    fn end(&mut self) {
        let pid = Pid::from_child(&self.child);
        if matches!(self.child.try_wait(), Ok(None)) {
            // Errors mean that it has just ended by itself, which is what we want.
            let _ = kill_process(pid, self.stop.parts().1);
            let patience = Instant::now() + Duration::from_secs(20);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < patience {
                thread::sleep(Duration::from_millis(5));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        // The watcher, before the pipe ends: the folder has an owner who removes it.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The last lines of a server's log, for an error message.
pub(super) fn log_tail(folder: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(folder.join("log"))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2_000)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(String::from_utf8_lossy(&tail).trim().to_owned())
    };
    read().unwrap_or_default()
}
