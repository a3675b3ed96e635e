//! Connections to Redis, each used by one request at a time.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    link::{Link, MAX_ANSWER, OpenError},
    resp::Frame,
    target::Target,
    turn::Turn,
};

/// How many connections may be in use at once; further requests wait for one.
const MAX_BUSY: usize = 256;

/// How many streams, each with a connection of its own, may be open at once.
const MAX_STREAMS: usize = 64;

/// How many connections are kept for later.
const MAX_IDLE: usize = 32;

/// Why Redis gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// There is no connection: nothing was executed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The connection broke after the commands were sent: they may have been executed.
    #[error("the connection to Redis broke before its answer was complete: {0}")]
    Lost(#[source] io::Error),
    /// The commands were executed, and what they answered is more than fits into memory.
    #[error("executed, but the answer is larger than {MAX_ANSWER} bytes; ask for less at once")]
    TooLarge,
}

/// The connections to one Redis.
pub(super) struct Pool {
    target: Target,
    trust: Arc<ClientConfig>,
    idle: Mutex<Vec<Link>>,
    busy: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Pool {
    /// A pool without connections: the first request opens one.
    pub(super) fn new(target: Target, trust: Arc<ClientConfig>) -> Self {
        let busy = Arc::new(Semaphore::new(MAX_BUSY));
        let streams = Arc::new(Semaphore::new(MAX_STREAMS));
        Self { target, trust, idle: Mutex::new(Vec::new()), busy, streams }
    }

    /// Runs what is in `wire` on one connection that nobody else uses meanwhile.
    ///
    /// With a `turn`, waits for that when the replies are large. A request that is given up half-way takes its connection with it, so that its answer
    /// never reaches the next one.
    ///
    /// # Errors
    /// See [`UpstreamError`].
    pub(super) async fn run(
        &self,
        wire: &[u8],
        replies: usize,
        turn: Option<&mut Turn>,
    ) -> Result<Vec<Frame>, UpstreamError> {
        let _permit = permit(&self.busy).await;
        let mut link = match self.take_idle() {
            Some(link) => link,
            None => Link::open(&self.target, &self.trust).await?,
        };
        let frames = link.exchange(wire, replies, turn).await;
        let frames = frames.map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => UpstreamError::TooLarge,
            _ => UpstreamError::Lost(error),
        })?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if frames.iter().any(is_elsewhere) {
            idle.clear();
        } else if idle.len() < MAX_IDLE {
            idle.push(link);
        }
        Ok(frames)
    }

    /// A connection of one's own, for a stream that does not end.
    ///
    /// # Errors
    /// When there is no connection.
    pub(super) async fn dedicated(&self) -> Result<(Link, OwnedSemaphorePermit), OpenError> {
        let permit = permit(&self.streams).await;
        Ok((Link::open(&self.target, &self.trust).await?, permit))
    }

    /// The connection used last that is still open.
    fn take_idle(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find_map(|mut link| link.is_idle().then_some(link))
    }
}

/// Whether it says that this server is not the one to ask, or not any more: the name that led to it may lead elsewhere by
/// now, and a server that is demoted keeps its connections. A script says it in the midst of its error.
fn is_elsewhere(reply: &Frame) -> bool {
    let Some(message) = reply.error() else { return false };
    let message = String::from_utf8_lossy(message);
    ["READONLY ", "LOADING ", "MASTERDOWN ", "MOVED "]
        .iter()
        .any(|code| message.starts_with(code) || message.contains(&format!("-{code}")))
}

async fn permit(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    loop {
        // The semaphores are never closed.
        if let Ok(permit) = Arc::clone(semaphore).acquire_owned().await {
            return permit;
        }
    }
}
