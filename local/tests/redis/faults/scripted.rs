//! A server that does exactly what a test tells it: for faults that no real server has on demand.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What the server does with one message.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Answers these bytes.
    Reply(Vec<u8>),
    /// Answers these bytes once it is told to.
    ReplyWhen(Arc<Notify>, Vec<u8>),
    /// Answers these bytes and closes the connection.
    ReplyAndClose(Vec<u8>),
    /// Answers these bytes and closes the connection once it is told to.
    ReplyAndCloseWhen(Vec<u8>, Arc<Notify>),
    /// Closes the connection without an answer.
    Close,
    /// Answers these bytes and then nothing for ever.
    Hang(Vec<u8>),
}

/// What a message is.
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    /// An HTTP request with its body.
    Http,
    /// A Redis command.
    Resp,
}

/// One message that came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The number of its connection, from 0.
    pub connection: usize,
    /// All of it.
    pub text: String,
}

#[derive(Default)]
struct State {
    reactions: Mutex<VecDeque<Reaction>>,
    seen: Mutex<Vec<Seen>>,
    arrived: Notify,
    closed: Notify,
}

/// The server; dropping it stops it.
pub struct Scripted {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// A server that reacts to the first message with the first reaction, and so on. When none is
    /// left it closes every connection.
    pub async fn start(protocol: Protocol, reactions: impl IntoIterator<Item = Reaction>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        state.reactions.lock().unwrap().extend(reactions);
        let shared = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(protocol, connection, stream, shared.clone()));
            }
        });
        Self { address, state, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The messages that came in so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Waits until `count` messages have come in.
    pub async fn wait_for(&self, count: usize) {
        while self.seen().len() < count {
            self.state.arrived.notified().await;
        }
    }

    /// Waits until the server has closed a connection.
    pub async fn wait_for_close(&self) {
        self.state.closed.notified().await;
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(protocol: Protocol, connection: usize, mut stream: TcpStream, state: Arc<State>) {
    let mut buffer = Vec::new();
    loop {
        let length = loop {
            if let Some(length) = message_length(protocol, &buffer) {
                break length;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let message: Vec<u8> = buffer.drain(..length).collect();
        let text = String::from_utf8_lossy(&message).into_owned();
        state.seen.lock().unwrap().push(Seen { connection, text });
        let reaction = state.reactions.lock().unwrap().pop_front();
        state.arrived.notify_one();
        match reaction {
            Some(Reaction::Reply(bytes)) => stream.write_all(&bytes).await.unwrap(),
            Some(Reaction::ReplyWhen(told, bytes)) => {
                told.notified().await;
                stream.write_all(&bytes).await.unwrap();
            }
            Some(Reaction::ReplyAndClose(bytes)) => {
                stream.write_all(&bytes).await.unwrap();
                break;
            }
            Some(Reaction::ReplyAndCloseWhen(bytes, told)) => {
                stream.write_all(&bytes).await.unwrap();
                told.notified().await;
                break;
            }
            Some(Reaction::Hang(bytes)) => {
                stream.write_all(&bytes).await.unwrap();
                return std::future::pending().await;
            }
            Some(Reaction::Close) | None => break,
        }
    }
    drop(stream);
    state.closed.notify_one();
}

/// The length of the first message, once it is whole.
fn message_length(protocol: Protocol, buffer: &[u8]) -> Option<usize> {
    match protocol {
        Protocol::Http => {
            let head = find(buffer, b"\r\n\r\n")? + 4;
            let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
            let length =
                text.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next());
            let body = length.map_or(0, |length| length.parse::<usize>().unwrap());
            (buffer.len() >= head + body).then_some(head + body)
        }
        Protocol::Resp => {
            let number = |at: usize| -> Option<(usize, usize)> {
                let end = at + find(&buffer[at..], b"\r\n")?;
                let digits = std::str::from_utf8(&buffer[at + 1..end]).ok()?;
                Some((digits.parse().ok()?, end + 2))
            };
            let (arguments, mut at) = number(0)?;
            for _ in 0..arguments {
                let (length, start) = number(at)?;
                at = start + length + 2;
                if buffer.len() < at {
                    return None;
                }
            }
            Some(at)
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// An HTTP answer.
pub fn http(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        answer.push_str(header);
        answer.push_str("\r\n");
    }
    answer.push_str("\r\n");
    answer.push_str(body);
    answer.into_bytes()
}
