//! One connection to Redis.

use std::{io, sync::Arc, time::Duration};

use bytes::BytesMut;
use futures_util::FutureExt as _;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    command::Command,
    resp::{Frame, Scanner},
    target::Target,
    turn::{SMALL, Turn},
};

/// How long connecting and logging in may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that the answers to one request may take; what goes beyond ends the connection.
pub(super) const MAX_ANSWER: usize = 128 << 20;

/// Pipelines longer than this are written and read at once: the other side may not take all of
/// one before it has got rid of its answers.
const WRITE_FIRST: usize = 64 << 10;

/// How large a buffer an idle connection may keep.
const KEPT: usize = 64 << 10;

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// An open connection. One that did not take part in a complete exchange must be dropped.
pub(super) struct Link {
    socket: Box<dyn Socket>,
    received: BytesMut,
}

/// Why there is no connection; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// No connection in time.
    #[error("Redis did not answer in time")]
    Timeout,
    /// No connection at all.
    #[error("Redis cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// Redis refused the password or the database of the URL.
    #[error("Redis refused the login: {0}")]
    Login(String),
}

impl Link {
    /// Connects, and logs in if the URL says how. Sends nothing else.
    ///
    /// # Errors
    /// When there is no connection within five seconds, or the login is refused.
    pub(super) async fn open(
        target: &Target,
        trust: &Arc<ClientConfig>,
    ) -> Result<Self, OpenError> {
        timeout(OPEN_TIMEOUT, Self::connect(target, trust)).await.unwrap_or(Err(OpenError::Timeout))
    }

    async fn connect(target: &Target, trust: &Arc<ClientConfig>) -> Result<Self, OpenError> {
        let tcp = TcpStream::connect((target.host.as_str(), target.port)).await?;
        tcp.set_nodelay(true)?;
        let socket: Box<dyn Socket> = if target.tls {
            let name = ServerName::try_from(target.host.clone())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let connector = TlsConnector::from(Arc::clone(trust));
            Box::new(connector.connect(name, tcp).await?)
        } else {
            Box::new(tcp)
        };
        let mut link = Self { socket, received: BytesMut::new() };
        let mut login: Vec<Command> = Vec::new();
        if let Some(password) = &target.password {
            let words = [Some("AUTH"), target.user.as_deref(), Some(password.expose())];
            login.push(words.into_iter().flatten().collect());
        }
        if target.database > 0 {
            login.push(["SELECT", &target.database.to_string()].iter().collect());
        }
        for command in login {
            let mut wire = Vec::new();
            command.write_to(&mut wire);
            for frame in link.exchange(&wire, 1, None).await? {
                if let Some(message) = frame.error() {
                    return Err(OpenError::Login(String::from_utf8_lossy(message).into_owned()));
                }
            }
        }
        Ok(link)
    }

    /// Whether the connection still looks usable: open, and nothing unasked-for has arrived.
    pub(super) fn is_idle(&mut self) -> bool {
        self.received.is_empty()
            && self.socket.read_buf(&mut self.received).now_or_never().is_none()
    }

    /// Sends `wire` and waits for `replies` replies; with a `turn`, waits for that before it takes
    /// more than a little of them into memory.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not RESP2 or too large: `wire` may or may not
    /// have been executed.
    pub(super) async fn exchange(
        &mut self,
        wire: &[u8],
        replies: usize,
        turn: Option<&mut Turn>,
    ) -> io::Result<Vec<Frame>> {
        if wire.len() <= WRITE_FIRST {
            self.send(wire).await?;
            return receive(&mut self.socket, &mut self.received, replies, turn).await;
        }
        let (mut reader, mut writer) = tokio::io::split(&mut self.socket);
        let write = async {
            writer.write_all(wire).await?;
            writer.flush().await
        };
        let ((), frames) =
            tokio::try_join!(write, receive(&mut reader, &mut self.received, replies, turn))?;
        Ok(frames)
    }

    /// Sends `wire` without waiting.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(super) async fn send(&mut self, wire: &[u8]) -> io::Result<()> {
        self.socket.write_all(wire).await?;
        self.socket.flush().await
    }

    /// Waits for one reply, or one message of a subscription.
    ///
    /// # Errors
    /// As [`Link::exchange`].
    pub(super) async fn next(&mut self) -> io::Result<Frame> {
        let frames = receive(&mut self.socket, &mut self.received, 1, None).await?;
        frames.into_iter().next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

async fn receive(
    socket: &mut (impl AsyncRead + Unpin),
    received: &mut BytesMut,
    replies: usize,
    mut turn: Option<&mut Turn>,
) -> io::Result<Vec<Frame>> {
    let invalid = |message: &'static str| io::Error::new(io::ErrorKind::InvalidData, message);
    let mut frames = Vec::with_capacity(replies.min(1024));
    let mut total = 0;
    let mut scanner = Scanner::default();
    while frames.len() < replies {
        let found = scanner.advance(received).map_err(|_| invalid("the answer is not RESP2"))?;
        match found {
            Some(length) => {
                total += length;
                frames.push(Scanner::cut(received, length));
                scanner = Scanner::default();
            }
            None if total + received.len() > MAX_ANSWER => {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            None => {
                if total + received.len() > SMALL
                    && let Some(turn) = &mut turn
                {
                    turn.take().await;
                }
                received.reserve(16 << 10);
                if socket.read_buf(received).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
    if total > KEPT && received.is_empty() {
        // An idle connection would keep the whole of what the frames were cut from.
        *received = BytesMut::new();
    }
    Ok(frames)
}
