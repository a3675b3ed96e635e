//! A request to cancel, over a connection of its own, that is heard out: the server (or the pooler) closes
//! that connection once it has passed the request on. A pooler forgets the request of whoever leaves
//! before.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Asks the server of `config` to cancel what runs on the connection of `token`.
pub(super) async fn cancel(
    config: &Config,
    tls: Option<&Arc<ClientConfig>>,
    token: &CancelToken,
) -> io::Result<()> {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match (config.get_hosts(), config.get_hostaddrs()) {
        ([Host::Tcp(name)], []) => {
            send(TcpStream::connect((name.as_str(), port)).await?, name, tls, token).await
        }
        ([] | [Host::Tcp(_)], [address]) => {
            let name = match config.get_hosts() {
                [Host::Tcp(name)] => name.as_str(),
                _ => "",
            };
            send(TcpStream::connect((*address, port)).await?, name, tls, token).await
        }
        #[cfg(unix)]
        ([Host::Unix(folder)], _) => {
            let path = folder.join(format!(".s.PGSQL.{port}"));
            send(tokio::net::UnixStream::connect(path).await?, "", tls, token).await
        }
        // Of several servers, only the token knows which one it belongs to.
        _ => {
            let sent = match tls {
                Some(tls) => {
                    let tls = MakeRustlsConnect::new(ClientConfig::clone(tls));
                    token.cancel_query(tls).await
                }
                None => token.cancel_query(NoTls).await,
            };
            sent.map_err(io::Error::other)
        }
    }
}

async fn send<S>(
    stream: S,
    host: &str,
    tls: Option<&Arc<ClientConfig>>,
    token: &CancelToken,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = HeardOut(stream);
    let sent = match tls {
        Some(tls) => {
            let mut tls = MakeRustlsConnect::new(ClientConfig::clone(tls));
            let tls = MakeTlsConnect::<HeardOut<S>>::make_tls_connect(&mut tls, host)
                .map_err(io::Error::other)?;
            token.cancel_query_raw(stream, tls).await
        }
        None => token.cancel_query_raw(stream, NoTls).await,
    };
    sent.map_err(io::Error::other)
}

/// A stream that ends when the other side ends it.
struct HeardOut<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for HeardOut<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeardOut<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_flush(context))?;
        let mut rest = [0; 256];
        loop {
            let mut rest = ReadBuf::new(&mut rest);
            // However it ends, it was heard.
            match ready!(Pin::new(&mut self.0).poll_read(context, &mut rest)) {
                Ok(()) if !rest.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
