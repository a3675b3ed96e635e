//! Lambda's Runtime API, played to a real function: it is started as Lambda starts it, asks for events, gets
//! them, and answers. What is measured is what the function does, from outside of it.

mod host;

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use host::{Call, Event, Host, environment, serve};

/// How long a function may take to start.
const START: Duration = Duration::from_secs(30);

/// How long an invocation may run: the drain's own timeout.
pub const INVOCATION: Duration = Duration::from_secs(60);

/// How long after its deadline an answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// How long after its deadline an answer of an [`Function::attempt`] is waited for, so that it is seen how late it
/// is.
const LATE: Duration = Duration::from_secs(1);

/// Why a function could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is a program of another kind of machine.
    #[error(
        "{name} is built for another kind of machine: `cargo lambda build --release` builds it for this one"
    )]
    Foreign {
        /// Its name.
        name: String,
    },
    /// It ended, or did not answer in time.
    #[error("the function {name} {did}; the end of its log: {log}")]
    Function {
        /// Its name.
        name: String,
        /// What it did.
        did: String,
        /// What it wrote last.
        log: String,
    },
}

/// `ENOEXEC`: the file is no program that can run here.
const NOT_OF_THIS_MACHINE: i32 = 8;

fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let doing = doing.into();
    move |source| Error::Io { doing, source }
}

/// A function that runs.
#[derive(Debug)]
pub struct Function {
    name: String,
    child: Child,
    serving: JoinHandle<()>,
    calls: mpsc::UnboundedReceiver<Call>,
    events: mpsc::UnboundedSender<Event>,
    invocations: u64,
    log: NamedTempFile,
    /// When it was started.
    pub started: Instant,
    /// From its start until it asked for its first event.
    pub init: Duration,
}

/// How an invocation ended that may fail.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// The function answered.
    Answered {
        /// When.
        at: Instant,
        /// Whether it said that it has failed.
        failed: bool,
        /// What it said.
        answer: String,
    },
    /// Its process ended.
    Ended,
    /// It has not answered by its deadline. Lambda ends such a function: so must who asked.
    Overdue,
}

/// What an invocation took and gave.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// From the event handed out until the answer arrived.
    pub took: Duration,
    /// The answer.
    pub answer: String,
}

impl Function {
    /// Starts `program` with these settings and nothing else of this process's environment but `PATH`, and
    /// waits until it asks for its first event.
    ///
    /// # Errors
    /// When it cannot be started, ends, or does not ask within 30 s.
    pub async fn start(
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: &[impl AsRef<OsStr>],
        settings: &[(String, String)],
    ) -> Result<Self, Error> {
        Self::start_ahead(name, program, arguments, settings, 0).await
    }

    /// As [`Function::start`], with a function whose clock is `ahead_ms` milliseconds ahead of ours, which the
    /// settings see to: its deadlines are told by its own clock, as Lambda does.
    ///
    /// # Errors
    /// As [`Function::start`].
    pub async fn start_ahead(
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: &[impl AsRef<OsStr>],
        settings: &[(String, String)],
        ahead_ms: i64,
    ) -> Result<Self, Error> {
        let (said, calls) = mpsc::unbounded_channel();
        let (events, asked) = mpsc::unbounded_channel();
        let host = Host { calls: said, events: Arc::new(asked.into()), ahead_ms };
        let (address, serving) = serve(host).await?;
        let log = NamedTempFile::new().map_err(io("making a file for a function's log"))?;
        let clone = || log.reopen().map(Stdio::from).map_err(io("opening a function's log"));
        let mut command = Command::new(program.as_ref());
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(environment(name, address))
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(clone()?)
            .stderr(clone()?)
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().map_err(|error| match error.raw_os_error() {
            Some(NOT_OF_THIS_MACHINE) => Error::Foreign { name: name.to_owned() },
            _ => io(format!("starting {name}"))(error),
        })?;
        let (name, init) = (name.to_owned(), Duration::ZERO);
        let invocations = 0;
        let mut function =
            Self { name, child, serving, calls, events, invocations, log, started, init };
        match function.call(START).await? {
            Call::Next(at) => function.init = at - started,
            Call::Answer { body, .. } => return Err(function.failed(format!("said {body}"))),
        }
        Ok(function)
    }

    /// Hands it an event and waits until it has answered and asks for the next; [`INVOCATION`] is its time.
    ///
    /// # Errors
    /// When it fails the event, ends, or does not answer in time.
    pub async fn invoke(&mut self, event: &str) -> Result<Invocation, Error> {
        self.invoke_within(event, INVOCATION).await
    }

    /// As [`Function::invoke`], with `time` until the deadline, of which the function is told. An answer that comes
    /// a little later is one, too: [`Invocation::took`] tells.
    ///
    /// # Errors
    /// As there.
    pub async fn invoke_within(
        &mut self,
        event: &str,
        time: Duration,
    ) -> Result<Invocation, Error> {
        let begun = Instant::now();
        self.hand_out(event, time);
        let (took, answer) = match self.call(time + GRACE).await? {
            Call::Answer { at, failed: false, body } => (at - begun, body),
            other => return Err(self.failed(format!("failed an event: {other:?}"))),
        };
        match self.call(START).await? {
            Call::Next(_) => Ok(Invocation { took, answer }),
            other => Err(self.failed(format!("answered twice: {other:?}"))),
        }
    }

    /// Hands it an event that may take as long as `limit`, and waits until it has answered and asks for the
    /// next, has ended, or is overdue by a second: an answer that comes a little late is one, too.
    pub async fn attempt(&mut self, event: &str, limit: Duration) -> Attempt {
        self.hand_out(event, limit);
        let answered = tokio::select! {
            biased;
            call = timeout(limit + LATE, self.calls.recv()) => call,
            _ = self.child.wait() => return Attempt::Ended,
        };
        match answered {
            Err(_) => Attempt::Overdue,
            Ok(Some(Call::Answer { at, failed, body })) => match self.call(START).await {
                Ok(Call::Next(_)) => Attempt::Answered { at, failed, answer: body },
                _ => Attempt::Ended,
            },
            Ok(_) => Attempt::Ended,
        }
    }

    fn hand_out(&mut self, event: &str, limit: Duration) {
        self.invocations += 1;
        let event = Event { body: event.to_owned(), limit, number: self.invocations };
        // An error means that it has ended, which whoever waits for the answer is told.
        let _ = self.events.send(event);
    }

    /// Its process' id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// The most memory that it has had so far: bytes.
    ///
    /// # Errors
    /// When the system does not say (it does on Linux).
    pub fn peak_memory(&self) -> Result<u64, Error> {
        let ended = || io::Error::other("the process has ended");
        let doing = "reading the peak of a function's memory";
        let id = self.child.id().ok_or_else(ended).map_err(io(doing))?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).map_err(io(doing))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        let silent = || io::Error::other("the system tells no VmHWM");
        Ok(kib.ok_or_else(silent).map_err(io(doing))? * 1_024)
    }

    /// Freezes it, as Lambda may from the moment at which it asks for an event, until
    /// [`Function::thaw`].
    ///
    /// # Errors
    /// When it has ended.
    pub fn freeze(&self) -> Result<(), Error> {
        self.signal(Signal::STOP, "freezing a function")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn thaw(&self) -> Result<(), Error> {
        self.signal(Signal::CONT, "thawing a function")
    }

    fn signal(&self, signal: Signal, doing: &str) -> Result<(), Error> {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let id = id.ok_or_else(|| io::Error::other("the process has ended")).map_err(io(doing))?;
        kill_process(id, signal).map_err(|error| io(doing)(error.into()))
    }

    /// Ends it, as Lambda does: without asking.
    pub async fn stop(mut self) {
        // An error means that it has ended.
        let _ = self.child.kill().await;
    }

    async fn call(&mut self, patience: Duration) -> Result<Call, Error> {
        let ended = tokio::select! {
            biased;
            call = timeout(patience, self.calls.recv()) => match call {
                Ok(Some(call)) => return Ok(call),
                Ok(None) | Err(_) => format!("said nothing for {} s", patience.as_secs_f32()),
            },
            status = self.child.wait() => match status {
                Ok(status) => format!("ended ({status})"),
                Err(error) => format!("cannot be waited for: {error}"),
            },
        };
        Err(self.failed(ended))
    }

    fn failed(&self, did: String) -> Error {
        let log = self.log();
        let from = log.char_indices().rev().nth(1_000).map_or(0, |(at, _)| at);
        Error::Function { name: self.name.clone(), did, log: log[from..].trim().to_owned() }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    async fn start(script: &str) -> Error {
        Function::start("broken", "/bin/sh", &["-c", script], &[]).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_function_that_does_not_start_is_told_with_its_log() {
        let error = start("echo no REDIS_URL >&2; exit 3").await.to_string();
        assert!(error.contains("broken ended (exit status: 3)"), "{error}");
        assert!(error.ends_with("no REDIS_URL"), "{error}");
    }

    #[tokio::test]
    async fn a_function_sees_nothing_of_our_environment_but_where_programs_are() {
        let error = start("env").await.to_string();
        assert!(error.contains("AWS_LAMBDA_FUNCTION_NAME=broken"), "{error}");
        assert!(error.contains("PATH=") && !error.contains("CARGO_PKG_NAME"), "{error}");
    }
}
