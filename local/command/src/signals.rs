//! Ctrl-C, SIGTERM and SIGHUP, for commands that run until then.

use std::fmt;
use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for these signals from the moment at which it is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// What a terminal sends whose window is closed, and some supervisors to end a process.
    hangup: Signal,
}

/// The signal that asked for the end; as an error, what a command says that it did not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Ctrl-C: SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// SIGHUP.
    HungUp,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next of any.
    pub async fn next(&mut self) -> Stopped {
        tokio::select! {
            _ = self.interrupt.recv() => Stopped::Interrupted,
            _ = self.terminate.recv() => Stopped::Terminated,
            _ = self.hangup.recv() => Stopped::HungUp,
        }
    }
}

impl Stopped {
    /// The exit code of a command that the signal cut short: 128 and the signal's number, as a shell has it.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Interrupted => ExitCode::from(130),
            Self::Terminated => ExitCode::from(143),
            Self::HungUp => ExitCode::from(129),
        }
    }

    /// The exit code of a server that has stopped in order: SIGTERM and SIGHUP are how it is meant to end, Ctrl-C tells the
    /// shell that a person ended it, so that a script goes no further.
    pub fn code_of_server(self) -> ExitCode {
        match self {
            Self::Interrupted => self.code(),
            Self::Terminated | Self::HungUp => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::HungUp => "hung up",
        })
    }
}

impl std::error::Error for Stopped {}
