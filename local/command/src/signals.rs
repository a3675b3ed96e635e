//! Ctrl-C, SIGTERM and SIGHUP, for commands that run until then.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for these signals from the moment at which it is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// What a terminal sends whose window is closed, and some supervisors to end a process.
    hangup: Signal,
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
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
