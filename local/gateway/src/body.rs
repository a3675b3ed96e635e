//! Bodies of requests, which are bounded, and of answers, which may end early on purpose.

use std::{convert::Infallible, io, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Frame, Incoming};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, error::Elapsed, timeout, timeout_at},
};

use super::{refusal::Refusal, turn::Turn};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Upstash's limit for the body of a request.
pub(super) const MAX_BODY: usize = 10 << 20;

/// How long a body over the limit is read and thrown away, so that a client that first sends
/// everything gets to read the refusal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take between two pieces of a body; for a large answer, beside the time that the
/// bytes take that it was sent.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bytes of a large answer the slowest client takes in a millisecond.
const SLOWEST: usize = 1_000;

/// How many bytes of a large answer are sent at a time.
const PIECE: usize = 64 << 10;

/// How many bytes of bodies may be held at once, in kilobytes; further requests wait.
const MEMORY_KB: usize = 64 << 10;

/// An answer's whole body.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// The first half of `bytes`, and then the connection breaks.
pub(super) fn half(bytes: &[u8]) -> Body {
    let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    // One pause, in which the server sends what it has: an error would take it along.
    let mut paused = false;
    let pause = future::poll_fn(move |context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(Err(io::Error::other("cut on purpose")));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    let frames = stream::iter([Ok(Frame::data(half))]).chain(stream::once(pause));
    StreamBody::new(frames).boxed_unsync()
}

/// `bytes` piece by piece, each when the client has taken those before it. They and their turn are let go
/// with the last one, or when the client is slower than [`SLOWEST`] and [`PIECE_TIMEOUT`] allow; then the
/// body breaks off.
pub(super) fn pieces(bytes: Bytes, turn: Turn) -> Body {
    let (sender, mut receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let sent = send(bytes, &sender).await;
        drop(turn);
        if sent.is_err() {
            // An error is a client that has gone.
            let _ = sender.send(Err(io::ErrorKind::TimedOut.into())).await;
        }
    });
    streamed(stream::poll_fn(move |context| receiver.poll_recv(context)))
}

/// Sends each piece as soon as there is room, until the body is dropped; fails when the client is too
/// slow with those that it was sent.
async fn send(bytes: Bytes, body: &mpsc::Sender<io::Result<Bytes>>) -> Result<(), Elapsed> {
    let begun = Instant::now();
    for (n, piece) in bytes.chunks(PIECE).enumerate() {
        let earned = Duration::from_millis((n * PIECE / SLOWEST) as u64);
        let room = timeout_at(begun + PIECE_TIMEOUT + earned, body.reserve()).await?;
        // An error is a body that was dropped.
        let Ok(room) = room else { return Ok(()) };
        // A copy: as long as the connection held a slice, all bytes would stay.
        room.send(Ok(Bytes::copy_from_slice(piece)));
    }
    Ok(())
}

/// Pieces as they come.
pub(super) fn streamed(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// Reads bodies of requests within a common bound on memory.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    memory: Arc<Semaphore>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { memory: Arc::new(Semaphore::new(MEMORY_KB)) }
    }
}

/// A request's body, and its share of the memory for as long as it is kept.
#[derive(Debug)]
pub(super) struct Received {
    /// The bytes.
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Reader {
    /// Reads a body of at most [`MAX_BODY`] bytes.
    ///
    /// # Errors
    /// A 413 for more, whether announced or not; a 400 when the body breaks off or the client takes
    /// too long.
    pub(super) async fn read(&self, mut body: Incoming) -> Result<Received, Refusal> {
        let announced = body.size_hint().upper();
        if let Some(length) = announced.filter(|length| *length > MAX_BODY as u64) {
            drain(body, 0).await;
            return Err(Refusal::too_large(MAX_BODY, length));
        }
        let most = announced.map_or(MAX_BODY, |length| length as usize);
        let kilobytes = u32::try_from(most.div_ceil(1024)).unwrap_or(u32::MAX);
        // The semaphore is never closed: without a permit the body is empty.
        let share = match kilobytes {
            0 => None,
            _ => Arc::clone(&self.memory).acquire_many_owned(kilobytes).await.ok(),
        };
        let mut bytes = Vec::with_capacity(announced.map_or(0, |_| most));
        loop {
            let Ok(frame) = timeout(PIECE_TIMEOUT, body.frame()).await else {
                return Err(Refusal::bad_request("ERR the body did not arrive in time"));
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| Refusal::bad_request("ERR the body breaks off"))?;
            let Ok(piece) = frame.into_data() else { continue };
            if bytes.len() + piece.len() > MAX_BODY {
                let read = bytes.len() + piece.len();
                drop(bytes);
                return Err(Refusal::too_large(MAX_BODY, drain(body, read as u64).await));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Received { bytes: bytes.into(), _share: share })
    }
}

/// Reads the rest of a body without keeping it; answers how long it was, as far as it was read.
async fn drain(mut body: Incoming, already: u64) -> u64 {
    let mut length = already;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, |piece| piece.len() as u64);
        }
    };
    // What is still to come then is cut off with the connection.
    let _ = timeout(DRAIN_TIMEOUT, rest).await;
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Turns;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_let_go_with_its_turn() {
        let turns = Turns::default();
        let mut turn = turns.waiting();
        turn.take().await;
        // The time that all of it may take is no matter.
        let whole: Arc<[u8]> = vec![b'x'; 1_024 * PIECE].into();
        let held = Arc::downgrade(&whole);
        let mut body = pieces(Bytes::from_owner(whole), turn);

        // The client takes one piece, of which hyper still holds what the socket does not take.
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), PIECE);
        let mut others = [turns.waiting(), turns.waiting()];
        for other in &mut others {
            timeout(2 * PIECE_TIMEOUT, other.take()).await.unwrap();
        }
        assert_eq!(held.strong_count(), 0, "the bytes are still held");

        let mut length = first.len();
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(piece) => length += piece.data_ref().unwrap().len(),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(length < 16 * PIECE, "{length} bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_that_is_read_slowly_comes_whole() {
        let mut turn = Turns::default().waiting();
        turn.take().await;
        let mut body = pieces(vec![b'x'; 640 * PIECE].into(), turn);
        let mut length = 0;
        while let Some(piece) = body.frame().await {
            length += piece.unwrap().data_ref().unwrap().len();
            tokio::time::sleep(PIECE_TIMEOUT / 320).await;
        }
        assert_eq!(length, 640 * PIECE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_comes_whole() {
        let turns = Turns::default();
        let mut turn = turns.waiting();
        turn.take().await;
        let whole: Vec<u8> = (0..3 * PIECE + 7).map(|i| (i % 251) as u8).collect();
        let body = pieces(whole.clone().into(), turn);
        assert_eq!(body.collect().await.unwrap().to_bytes(), whole);
    }
}
