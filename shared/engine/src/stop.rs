//! Ends ticks when that is asked for from outside: a long-running worker's SIGTERM.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long all that is under way may take once the end is asked for. Containers get 10 s before they
/// are killed, if nobody says otherwise; the rest is for giving back what is not finished.
const GRACE: Duration = Duration::from_secs(5);

/// Asks for the end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<Instant>>);

/// Knows whether the end was asked for, and when.
///
/// ```
/// use batchmq_engine::{Stop, Stopper};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (stopper, stop) = Stopper::new();
/// assert!(!stop.is_asked() && !Stop::never().is_asked());
/// stopper.stop();
/// stop.asked().await;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<Instant>>);

impl Stopper {
    /// One to ask with, and one to be asked by; the latter may be cloned.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Asks for the end.
    pub fn stop(&self) {
        self.0.send_replace(Some(Instant::now()));
    }
}

impl Stop {
    /// For ticks that nobody will ask to end.
    pub fn never() -> Self {
        Stopper::new().1
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the end is asked for.
    pub async fn asked(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(Option::is_some).await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until what is under way must end, too: counted from when the end was asked for, whatever
    /// began meanwhile.
    pub(crate) async fn over(&self) {
        self.asked().await;
        let asked = *self.0.borrow();
        if let Some(asked) = asked {
            sleep_until(asked + GRACE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_grace_is_counted_from_the_request() {
        let (stopper, stop) = Stopper::new();
        assert!(!stop.is_asked());
        let begun = Instant::now();
        stopper.stop();
        tokio::time::sleep(GRACE * 3 / 5).await;
        // Another piece of work begins, and has what is left.
        stop.over().await;
        assert_eq!(begun.elapsed(), GRACE);
        stop.over().await;
        assert_eq!(begun.elapsed(), GRACE);
    }
}
