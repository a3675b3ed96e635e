//! Accepting connections and serving HTTP/1.1 on them, by hand so that they can also be cut.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::handler::{Handler, Peer};

/// How many connections may be open at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;

/// How long requests that are being served may go on after a shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// Serves connections until `stopping` turns true, then lets running requests finish.
pub(super) async fn serve(
    listener: TcpListener,
    handler: Arc<Handler>,
    stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut stop = stopping.clone();
    let accept = async {
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, address)) => {
                    let handler = Arc::clone(&handler);
                    let stopping = stopping.clone();
                    connections.spawn(async move {
                        connection(stream, address, handler, stopping).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Mostly too many open files: the pause lets some of them close.
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        () = accept => {}
        () = turned_true(&mut stop) => {}
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, finish).await.is_err() {
        tracing::warn!("requests were still running after the grace period; they are cut off");
    }
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    handler: Arc<Handler>,
    mut stopping: watch::Receiver<bool>,
) {
    // An answer is one write; waiting to send more with it only costs time.
    let _ = stream.set_nodelay(true);
    let peer = Peer { address, cut: Arc::default() };
    let socket = CutSocket { stream, cut: Arc::clone(&peer.cut) };
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        handler.serve(request, peer.clone())
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(75))
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = turned_true(&mut stopping) => {
            if !asked.load(Ordering::Relaxed) {
                // Between requests hyper closes a connection itself, in the middle of a head too,
                // but for the rest of the very first head it would wait.
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits for `stopping` to turn true, or for its sender to be gone.
async fn turned_true(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// A socket that is reset instead of closed once `cut` is set.
struct CutSocket {
    stream: TcpStream,
    cut: Arc<AtomicBool>,
}

impl CutSocket {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }
}

impl Drop for CutSocket {
    fn drop(&mut self) {
        if self.is_cut() {
            // Lingering for no time makes the kernel send a reset.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for CutSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CutSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
