//! An end to ticks that is asked for from outside: a long-running worker's SIGTERM.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// How long a batch under way may take once the end is asked for. Containers get 10 s before they
/// are killed, if nobody says otherwise; the rest is for giving back what is not finished.
const GRACE: Duration = Duration::from_secs(5);

/// Asks for the end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Knows whether the end was asked for.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// One to ask with, and one to be asked by; the latter may be cloned.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Stop(receiver))
    }

    /// Asks for the end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// For ticks that nobody will ask to end.
    pub fn never() -> Self {
        Stopper::new().1
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the end is asked for.
    pub async fn asked(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until what is under way must end, too.
    pub(super) async fn over(&self) {
        self.asked().await;
        sleep(GRACE).await;
    }
}
