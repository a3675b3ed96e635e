//! Ctrl-C and SIGTERM, for commands that run until then.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for both signals from the moment at which it is made.
pub struct Signals(Signal, Signal);

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    /// Waits for the next of either.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}
