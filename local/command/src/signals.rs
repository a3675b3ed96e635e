//! Ctrl-C and SIGTERM, for commands that run until then.

use std::fmt;
use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for both signals from the moment at which it is made.
pub struct Signals(Signal, Signal);

/// The signal that asked for the end; as an error, what a command says that it did not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Ctrl-C: SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    /// Waits for the next of either.
    pub async fn next(&mut self) -> Stopped {
        tokio::select! {
            _ = self.0.recv() => Stopped::Interrupted,
            _ = self.1.recv() => Stopped::Terminated,
        }
    }
}

impl Stopped {
    /// The exit code of a command that the signal cut short: 128 and the signal's number, as a shell has it.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Interrupted => ExitCode::from(130),
            Self::Terminated => ExitCode::from(143),
        }
    }

    /// The exit code of a server that has stopped in order: SIGTERM is how it is meant to end, Ctrl-C tells the
    /// shell that a person ended it, so that a script goes no further.
    pub fn code_of_server(self) -> ExitCode {
        match self {
            Self::Interrupted => self.code(),
            Self::Terminated => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        })
    }
}

impl std::error::Error for Stopped {}
