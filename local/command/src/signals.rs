//! Ctrl-C, SIGTERM and SIGHUP, for commands that run until then.

use std::fmt;
use std::fs;
use std::future::pending;
use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for these signals from the moment at which it is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// What a terminal sends whose window is closed, and some supervisors to end a process; `None` where whoever
    /// started this program has it ignore that, as `nohup` does.
    hangup: Option<Signal>,
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
            hangup: match ignores(SignalKind::hangup()) {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    /// Waits for the next of any.
    pub async fn next(&mut self) -> Stopped {
        tokio::select! {
            _ = self.interrupt.recv() => Stopped::Interrupted,
            _ = self.terminate.recv() => Stopped::Terminated,
            () = heard(self.hangup.as_mut()) => Stopped::HungUp,
        }
    }
}

/// Waits for a signal that is listened for; for another one without end.
async fn heard(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => signal.recv().await.unwrap_or_default(),
        None => pending().await,
    }
}

/// Whether this process ignores a signal, which it does from its start on if at all. Where there is no `/proc`, as on
/// macOS, nobody can tell without unsafe code, and the answer is no.
fn ignores(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status) & (1 << (kind.as_raw_value() - 1)) != 0
}

/// The mask of ignored signals in a process's status as Linux has it.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::ignored;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tdeo\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000004\n";
        assert_eq!(ignored(status), 0x1001, "SIGHUP is the first, SIGPIPE the thirteenth");
        assert_eq!(ignored("Name:\tdeo\n"), 0);
    }
}
