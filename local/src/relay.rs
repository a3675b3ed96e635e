//! A TCP relay that notes when a client's first bytes came by, since from then on a connection was in use, and how many
//! bytes clients sent. It may lead elsewhere later, as a name does after a failover.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A running relay. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    seen: Arc<Seen>,
    serving: JoinHandle<()>,
}

/// What clients did.
#[derive(Debug, Default)]
struct Seen {
    first: Mutex<Option<Instant>>,
    sent_bytes: AtomicU64,
}

impl Relay {
    /// A relay on a free port of the loopback to `target`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let target = Arc::new(Mutex::new(target));
        let seen = Arc::new(Seen::default());
        let (leads_to, sees) = (Arc::clone(&target), Arc::clone(&seen));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let seen = Arc::clone(&sees);
                let target = *leads_to.lock().unwrap_or_else(PoisonError::into_inner);
                // Whoever hangs up ends the connection, and nothing else.
                tokio::spawn(async move { pass(client, target, &seen).await });
            }
        });
        Ok(Self { address, target, seen, serving })
    }

    /// Leads new connections to another target. Those that are open stay where they are.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the first bytes came by since the last time that this was asked.
    pub fn take_first(&self) -> Option<Instant> {
        self.seen.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Bytes that clients have sent so far.
    pub fn sent_bytes(&self) -> u64 {
        self.seen.sent_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(client: TcpStream, target: SocketAddr, seen: &Seen) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    // Both sides would wait for each other's acknowledgement otherwise.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((mut from, mut back), (mut answers, mut to)) = (client.into_split(), server.into_split());
    let there = async {
        let mut bytes = vec![0; 16_384];
        let mut is_first = true;
        loop {
            let length = from.read(&mut bytes).await?;
            if length == 0 {
                return to.shutdown().await;
            }
            if is_first {
                let mut first = seen.first.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(Instant::now);
                is_first = false;
            }
            seen.sent_bytes.fetch_add(length as u64, Ordering::Relaxed);
            to.write_all(&bytes[..length]).await?;
        }
    };
    let here = async {
        copy(&mut answers, &mut back).await?;
        back.shutdown().await
    };
    tokio::try_join!(there, here).map(drop)
}
