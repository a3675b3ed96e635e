//! A TCP relay that notes when a client's first bytes came by: from then on a connection was in use. It may lead
//! elsewhere later, as a name does after a failover.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A running relay. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    first: Arc<Mutex<Option<Instant>>>,
    serving: JoinHandle<()>,
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
        let first = Arc::new(Mutex::new(None));
        let (leads_to, noted) = (Arc::clone(&target), Arc::clone(&first));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                let target = *leads_to.lock().unwrap_or_else(PoisonError::into_inner);
                // Whoever hangs up ends the connection, and nothing else.
                tokio::spawn(async move { pass(client, target, &noted).await });
            }
        });
        Ok(Self { address, target, first, serving })
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
        self.first.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    noted: &Mutex<Option<Instant>>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    // Both sides would wait for each other's acknowledgement otherwise.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut bytes = [0; 4_096];
    let length = client.read(&mut bytes).await?;
    noted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    server.write_all(&bytes[..length]).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
