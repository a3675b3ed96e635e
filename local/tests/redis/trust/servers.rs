//! A Redis that speaks TLS, and Upstash's REST API behind TLS.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use fixture::certificates::Certificate;
use gateway::{Gateway, GatewayConfig};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use servers::RedisServer;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// A server with a certificate.
pub struct Served {
    /// The variable that names it.
    pub variable: &'static str,
    port: u16,
    _kept: (RedisServer, Option<Gateway>, TempDir),
}

impl Served {
    /// `redis-server`'s own TLS.
    pub async fn tcp(certificate: &Certificate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (own, key) = (file("own.pem", &certificate.pem), file("key.pem", &certificate.key));
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let listening = port.to_string();
        let mut options = vec!["--tls-port", &*listening, "--tls-auth-clients", "no"];
        options.extend([
            "--tls-cert-file",
            &own,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &own,
        ]);
        let server = RedisServer::start_with(&options).await.unwrap();
        Self { variable: "REDIS_URL", port, _kept: (server, None, folder) }
    }

    /// The gateway, behind what takes TLS off.
    pub async fn rest(certificate: &Certificate) -> Self {
        let server = RedisServer::start().await.unwrap();
        let gateway = Gateway::start(GatewayConfig::new(server.url(), "canary")).await.unwrap();
        let behind: SocketAddr = gateway.url().strip_prefix("http://").unwrap().parse().unwrap();
        shared::tls::install_provider();
        let own = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![own], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(behind).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        let kept = (server, Some(gateway), tempfile::tempdir().unwrap());
        Self { variable: "UPSTASH_REDIS_REST_URL", port, _kept: kept }
    }

    /// The settings that lead there under this name of the host.
    pub fn settings(&self, host: &str) -> Vec<(String, String)> {
        let port = self.port;
        let pairs = match self.variable {
            "REDIS_URL" => vec![("REDIS_URL", format!("rediss://{host}:{port}"))],
            _ => vec![
                ("UPSTASH_REDIS_REST_URL", format!("https://{host}:{port}")),
                ("UPSTASH_REDIS_REST_TOKEN", "canary".to_owned()),
            ],
        };
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
