//! A Redis that speaks TLS, and Upstash's REST API behind TLS.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use fixture::certificates::Certificate;
use gateway::{Gateway, GatewayConfig};
use local::tls_front::TlsFront;
use servers::RedisServer;
use tempfile::TempDir;

/// A server with a certificate.
pub struct Served {
    /// The variable that names it.
    pub variable: &'static str,
    port: u16,
    _kept: (RedisServer, Option<Gateway>, Option<TlsFront>, TempDir),
}

impl Served {
    /// `redis-server`'s own TLS, if it has any.
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
        let Ok(server) = RedisServer::start_with(&options).await else {
            return Self::plain(certificate).await;
        };
        Self { variable: "REDIS_URL", port, _kept: (server, None, None, folder) }
    }

    /// A Redis that was built without TLS, which does not start with options of TLS, behind what takes it off.
    async fn plain(certificate: &Certificate) -> Self {
        let server = RedisServer::start().await.unwrap();
        let behind = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let front =
            TlsFront::before(behind, &certificate.pem, &certificate.key, None).await.unwrap();
        let port = front.port();
        let kept = (server, None, Some(front), tempfile::tempdir().unwrap());
        Self { variable: "REDIS_URL", port, _kept: kept }
    }

    /// The gateway, behind what takes TLS off.
    pub async fn rest(certificate: &Certificate) -> Self {
        let server = RedisServer::start().await.unwrap();
        let gateway = Gateway::start(GatewayConfig::new(server.url(), "canary")).await.unwrap();
        let behind: SocketAddr = gateway.url().strip_prefix("http://").unwrap().parse().unwrap();
        let front =
            TlsFront::before(behind, &certificate.pem, &certificate.key, None).await.unwrap();
        let port = front.port();
        let kept = (server, Some(gateway), Some(front), tempfile::tempdir().unwrap());
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
