//! What takes TLS off in front of a server that speaks none, as providers' proxies do.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A running front. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl TlsFront {
    /// A front on a free port of the loopback before `target`, with a certificate and its key in PEM. If it is given a
    /// protocol's name, whoever does not name that too (ALPN) is hung up on, as by Postgres.
    ///
    /// # Errors
    /// When the certificate cannot be used or there is no port.
    pub async fn before(
        target: SocketAddr,
        certificate: &str,
        key: &str,
        protocol: Option<&'static str>,
    ) -> io::Result<Self> {
        let certificate =
            CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
        shared::tls::install_provider();
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config =
            config.with_single_cert(vec![certificate], key).map_err(io::Error::other)?;
        config.alpn_protocols = protocol.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                // Whoever hangs up ends the connection, and nothing else.
                tokio::spawn(async move {
                    client.set_nodelay(true)?;
                    let mut client = acceptor.accept(client).await?;
                    if client.get_ref().1.alpn_protocol() != protocol.map(str::as_bytes) {
                        return Ok((0, 0));
                    }
                    let mut server = TcpStream::connect(target).await?;
                    server.set_nodelay(true)?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(Self { address, serving })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
