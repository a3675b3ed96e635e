//! A proxy in front of Redis that loses answers on demand: the command arrives, its answer does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Lossy {
    pub(crate) url: String,
    losses: Arc<AtomicU32>,
    passes: Arc<AtomicU32>,
}

impl Lossy {
    /// A proxy in front of the Redis at `url` (`redis://host:port`).
    pub(crate) async fn before(url: &str) -> Self {
        let target = url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let losses = Arc::new(AtomicU32::new(0));
        let passes = Arc::new(AtomicU32::new(0));
        let armed = (losses.clone(), passes.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target.clone(), armed.clone()));
            }
        });
        Self { url, losses, passes }
    }

    /// The next `n` answers are lost, and their connections with them.
    pub(crate) fn lose(&self, n: u32) {
        self.losses.store(n, Ordering::SeqCst);
    }

    /// Before any is lost, the next `n` answers get through.
    #[allow(dead_code, reason = "not every test that uses this needs it")]
    pub(crate) fn skip(&self, n: u32) {
        self.passes.store(n, Ordering::SeqCst);
    }

    /// Answers still to be lost.
    #[allow(dead_code, reason = "not every test that uses this needs it")]
    pub(crate) fn left(&self) -> u32 {
        self.losses.load(Ordering::SeqCst)
    }
}

/// Counts one down; false when nothing was left of it.
fn take(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

async fn forward(
    mut client: TcpStream,
    target: String,
    (losses, passes): (Arc<AtomicU32>, Arc<AtomicU32>),
) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(n) if n > 0 => if server.write_all(&up[..n]).await.is_err() { return },
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(n) if n > 0 => {
                    let lose = !take(&passes) && take(&losses);
                    if lose || client.write_all(&down[..n]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
