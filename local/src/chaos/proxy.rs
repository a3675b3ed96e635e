//! Lets connections to a server go wrong on demand, as a TCP proxy in front of it: answers are lost, come late
//! or never, connections are cut or refused, and the server behind it may become another one.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Bytes that go through at a time.
const CHUNK: usize = 65_536;

/// What goes wrong. All of it may change while connections are open.
#[derive(Debug)]
struct Wrongs {
    /// So many answers are lost, each with its connection.
    lost: AtomicU32,
    /// How late answers are: milliseconds.
    late_ms: AtomicU64,
    /// Whether answers go nowhere, while connections stay.
    is_silent: AtomicBool,
    /// Whether connections are taken and closed at once.
    refuses: AtomicBool,
    /// Counts up whenever all connections are cut.
    cut: watch::Sender<u64>,
    /// The server's port on 127.0.0.1.
    port: AtomicU32,
}

/// A running proxy on a free port of the loopback. Dropped, it takes no more connections.
#[derive(Debug)]
pub(super) struct FaultProxy {
    port: u16,
    wrongs: Arc<Wrongs>,
    serving: JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy in front of the server on 127.0.0.1 at `port`.
    pub(super) async fn before(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let wrongs = Arc::new(Wrongs {
            lost: AtomicU32::new(0),
            late_ms: AtomicU64::new(0),
            is_silent: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            cut: watch::channel(0).0,
            port: AtomicU32::new(port.into()),
        });
        let port = listener.local_addr()?.port();
        let shared = Arc::clone(&wrongs);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !shared.refuses.load(Ordering::SeqCst) {
                    // Whoever hangs up ends the connection, and nothing else.
                    tokio::spawn(pass(client, Arc::clone(&shared)));
                }
            }
        });
        Ok(Self { port, wrongs, serving })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The next `count` answers are lost, each with its connection.
    pub(super) fn lose(&self, count: u32) {
        self.wrongs.lost.store(count, Ordering::SeqCst);
    }

    /// Answers come so late.
    pub(super) fn delay(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.wrongs.late_ms.store(ms, Ordering::SeqCst);
    }

    /// No answer comes through.
    pub(super) fn silence(&self, is_silent: bool) {
        self.wrongs.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// New connections are closed at once.
    pub(super) fn refuse(&self, refuses: bool) {
        self.wrongs.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Every connection that is open is cut.
    pub(super) fn cut(&self) {
        self.wrongs.cut.send_modify(|count| *count += 1);
    }

    /// New connections go to another server.
    pub(super) fn lead_to(&self, port: u16) {
        self.wrongs.port.store(port.into(), Ordering::SeqCst);
    }

    /// All is well again. Connections over which answers went nowhere are cut: nobody would hear of them.
    pub(super) fn heal(&self) {
        self.lose(0);
        self.delay(Duration::ZERO);
        self.refuse(false);
        self.silence(false);
        self.cut();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(mut client: TcpStream, wrongs: Arc<Wrongs>) -> io::Result<()> {
    let mut cut = wrongs.cut.subscribe();
    let port = u16::try_from(wrongs.port.load(Ordering::SeqCst)).unwrap_or_default();
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut asked, mut answered) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        tokio::select! {
            _ = cut.changed() => return Ok(()),
            length = client.read(&mut asked) => match length? {
                0 => return Ok(()),
                length => server.write_all(&asked[..length]).await?,
            },
            length = server.read(&mut answered) => {
                let length = length?;
                let one_less = |left: u32| left.checked_sub(1);
                let is_lost =
                    wrongs.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
                if length == 0 || is_lost {
                    return Ok(());
                }
                sleep(Duration::from_millis(wrongs.late_ms.load(Ordering::SeqCst))).await;
                if !wrongs.is_silent.load(Ordering::SeqCst) {
                    client.write_all(&answered[..length]).await?;
                }
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A server that answers each connection's bytes with themselves and its own letter.
    async fn echo(letter: u8) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        stream.write_all(&[byte, letter]).await.unwrap();
                    }
                });
            }
        });
        port
    }

    async fn ask(stream: &mut TcpStream) -> Option<[u8; 2]> {
        let mut answer = [0; 2];
        stream.write_all(b"?").await.ok()?;
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer)
    }

    #[tokio::test]
    async fn answers_are_lost_with_their_connection_and_the_next_ones_are_not() {
        let proxy = FaultProxy::before(echo(b'a').await).await.unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()));
        let mut stream = connect().await.unwrap();
        assert_eq!(ask(&mut stream).await, Some(*b"?a"));
        proxy.lose(1);
        assert_eq!(ask(&mut stream).await, None);
        assert_eq!(ask(&mut connect().await.unwrap()).await, Some(*b"?a"));
    }

    #[tokio::test]
    async fn another_server_is_met_by_new_connections_alone_until_all_are_cut() {
        let proxy = FaultProxy::before(echo(b'a').await).await.unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()));
        let mut old = connect().await.unwrap();
        assert_eq!(ask(&mut old).await, Some(*b"?a"));
        proxy.lead_to(echo(b'b').await);
        assert_eq!(ask(&mut old).await, Some(*b"?a"));
        assert_eq!(ask(&mut connect().await.unwrap()).await, Some(*b"?b"));
        proxy.cut();
        assert_eq!(ask(&mut old).await, None);
    }

    #[tokio::test]
    async fn a_proxy_that_refuses_or_is_silent_is_healed() {
        let proxy = FaultProxy::before(echo(b'a').await).await.unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()));
        proxy.refuse(true);
        assert_eq!(ask(&mut connect().await.unwrap()).await, None);
        proxy.refuse(false);
        proxy.silence(true);
        let mut stream = connect().await.unwrap();
        let patience = Duration::from_millis(100);
        assert!(tokio::time::timeout(patience, ask(&mut stream)).await.is_err());
        proxy.heal();
        assert_eq!(ask(&mut connect().await.unwrap()).await, Some(*b"?a"));
    }
}
