//! Wakes the drain: by a request to its function URL, or to QStash, as soon as jobs wait.
//!
//! Off unless `DRAIN_WAKE_URL` is set, and never needed: what is not woken is ticked. So a wake-up
//! never fails anything, and holds nobody up for long.
//!
//! A thousand adds must not become a thousand drains. Across instances the queue itself tells who
//! rings: only the add that found none waiting ([`Enqueued::first`](crate::queue::Enqueued::first)).
//! Within an instance there is a least time between two rings, and the last one in such a time is
//! rung at its end, since the drain that the first one woke may have gone by then. Whoever stops
//! before that calls [`Wake::finish`].

mod ring;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::Bell;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::WakeConfig;

/// The least time between two rings of one instance: a tick of a few jobs takes about as long.
const BETWEEN: Duration = Duration::from_millis(250);

/// The longest that a ring holds up the one who added the job.
const PATIENCE: Duration = Duration::from_millis(300);

/// How much of that may pass once the request is on its way. A drain behind a function URL answers
/// when it is done, which nobody waits for; a refusal comes sooner, and should stand in the log.
const AFTERWARDS: Duration = Duration::from_millis(50);

/// A `DRAIN_WAKE_URL` or a token that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WakeError(&'static str);

/// Wakes the drain, or does nothing where no URL is set. Clones share what they know of the last
/// ring.
#[derive(Clone, Debug)]
pub struct Wake(Option<Arc<Waker>>);

#[derive(Debug)]
struct Waker {
    bell: Bell,
    turn: Mutex<Turn>,
}

/// When the next ring may be.
#[derive(Debug, Default)]
struct Turn {
    next: Option<Instant>,
    /// A ring that is not out yet: it waits for its time, or for a connection.
    pending: Option<JoinHandle<()>>,
}

impl Wake {
    /// What `config` says. Opens no connection.
    ///
    /// # Errors
    /// What is wrong with the URL or a token, without either.
    pub fn new(config: &WakeConfig) -> Result<Self, WakeError> {
        let bell = config.url.as_ref().map(|url| Bell::new(url, config)).transpose()?;
        Ok(Self(bell.map(|bell| Arc::new(Waker { bell, turn: Mutex::default() }))))
    }

    /// Asks for a drain if `needed`, unless one was asked for just now: then a moment later, for all
    /// who need one until then. Takes at most 0.3 s, and 0.05 s once there is a connection; what goes
    /// wrong is logged.
    pub async fn ring(&self, needed: bool) {
        let Some(waker) = self.0.as_ref().filter(|_| needed) else { return };
        if waker.is_due() {
            let mut ring = tokio::spawn(Arc::clone(waker).ring());
            if timeout(PATIENCE, &mut ring).await.is_err() {
                // It goes on when we stop waiting.
                waker.turn().pending = Some(ring);
            }
        }
    }

    /// Waits for a ring that is not out yet, at most 0.6 s: for those whose process ends or is frozen
    /// now. Where there is none, it returns at once.
    pub async fn finish(&self) {
        let Some(waker) = &self.0 else { return };
        let pending = waker.turn().pending.take();
        if let Some(pending) = pending {
            let _ = timeout(BETWEEN + PATIENCE, pending).await;
        }
    }
}

impl Waker {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to ring now. If not, somebody will in a moment.
    fn is_due(self: &Arc<Self>) -> bool {
        let mut turn = self.turn();
        let now = Instant::now();
        match turn.next {
            Some(next) if next > now => {
                // Further off than that only while a ring waits for its turn: it will do for this one, too.
                if next <= now + BETWEEN {
                    turn.next = Some(next + BETWEEN);
                    let waker = Arc::clone(self);
                    turn.pending = Some(tokio::spawn(async move {
                        sleep_until(next).await;
                        waker.ring().await;
                    }));
                }
                false
            }
            _ => {
                turn.next = Some(now + BETWEEN);
                true
            }
        }
    }

    /// Rings. Ends when the request is out, and a refusal would have come.
    async fn ring(self: Arc<Self>) {
        let (tell, sent) = oneshot::channel();
        let mut ring = tokio::spawn(async move { self.bell.ring(tell).await });
        // An error says that there is no request any more, and so an answer in a moment.
        let _ = sent.await;
        let _ = timeout(AFTERWARDS, &mut ring).await;
    }
}

/// Whether an HTTP request with this `Authorization` header may wake the drain: never without a
/// `DRAIN_WAKE_TOKEN`.
pub fn may_wake(config: &WakeConfig, authorization: Option<&str>) -> bool {
    let given = authorization.and_then(|value| value.split_once(' '));
    match (&config.token, given) {
        (Some(token), Some((scheme, given))) if scheme.eq_ignore_ascii_case("bearer") => {
            // Compared as digests under a key, in a time that tells nothing of the token.
            let key = ::ring::hmac::Key::new(::ring::hmac::HMAC_SHA256, b"wake");
            let given = ::ring::hmac::sign(&key, given.trim().as_bytes());
            ::ring::hmac::verify(&key, token.expose().as_bytes(), given.as_ref()).is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn only_the_token_wakes() {
        let token = Some(Secret::new("a-long-token"));
        let config = WakeConfig { token, ..WakeConfig::default() };
        assert!(may_wake(&config, Some("Bearer a-long-token")));
        assert!(may_wake(&config, Some("bearer  a-long-token")));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer a-long-toke", "Basic a-long-token", "a-long-token"]
        {
            assert!(!may_wake(&config, Some(wrong)), "{wrong}");
        }
        assert!(!may_wake(&config, None));
        // Nothing set lets nobody in.
        assert!(!may_wake(&WakeConfig::default(), Some("Bearer ")));
        assert!(!may_wake(&WakeConfig::default(), None));
    }
}
