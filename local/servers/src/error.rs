//! Why a server could not be brought up.

use std::io;

/// Why a server could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None of the ways works on this machine.
    #[error("{0}")]
    NoWay(String),
    /// A setting that asks for a way has an unknown value, or asks for one that is not there.
    #[error("{variable}={value}: {reason}")]
    Setting {
        /// The variable.
        variable: &'static str,
        /// What it says.
        value: String,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// The program was started but did not become ready.
    #[error("{program} did not start: {reason}\n{log}")]
    Start {
        /// The program.
        program: String,
        /// What happened.
        reason: String,
        /// The end of its output.
        log: String,
    },
    /// A command that prepares a server failed.
    #[error("`{command}` failed with {status}: {output}")]
    Command {
        /// The command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// A file or a process could not be made.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The server was up but refused a request of ours.
    #[error("{what}: {source}")]
    Request {
        /// What was asked.
        what: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// For `map_err`: says what was tried.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// For `map_err`: says what was asked of the server.
    pub(super) fn request<E>(what: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::Request { what, source: Box::new(source) }
    }
}
