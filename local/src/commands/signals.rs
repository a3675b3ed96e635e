//! Ctrl-C and SIGTERM, for commands that run until then.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals; listening begins when this is made.
pub(super) struct Signals(Signal, Signal);

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    }

    /// Waits for the next of either.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
        }
    }
}
