//! Puts TLS before the servers, and has Postgres ask for passwords as a provider's does.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use shared::config::Secret;
use shared::store::Database;
use tempfile::TempDir;
use tokio::process::Command;

use crate::Failure;
use crate::tls_front::TlsFront;

/// Whom the drain is to Postgres.
pub(super) const USER: &str = "bench:bench";

/// TLS before Redis and before Postgres, by one certificate for `localhost`.
pub(super) struct Secured {
    fronts: [TlsFront; 2],
    folder: TempDir,
}

impl Secured {
    pub(super) async fn before(redis: u16, postgres: u16) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let key = folder.path().join("key.pem");
        let certificate = certificate_file(folder.path());
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .await
            .map_err(|error| format!("--tls needs openssl, to make a certificate: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let [certificate, key] = [certificate, key].map(std::fs::read_to_string);
        let (certificate, key) = (certificate?, key?);
        let front = async |port, protocol| {
            let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            TlsFront::before(target, &certificate, &key, protocol).await
        };
        // Postgres 17, and providers' proxies, begin TLS at once with whoever names its protocol.
        let fronts = [front(redis, None).await?, front(postgres, Some("postgresql")).await?];
        Ok(Self { fronts, folder })
    }

    /// The ports of both.
    pub(super) fn ports(&self) -> [u16; 2] {
        self.fronts.each_ref().map(TlsFront::port)
    }

    /// What is to be trusted.
    pub(super) fn certificate_file(&self) -> PathBuf {
        certificate_file(self.folder.path())
    }
}

fn certificate_file(folder: &Path) -> PathBuf {
    folder.join("certificate.pem")
}

/// Makes [`USER`], who proves that it knows its password (SCRAM) instead of telling it.
pub(super) async fn prove_passwords(url: &str) -> Result<(), Failure> {
    let client = Database::parse(&Secret::new(url))?.connect().await?;
    client
        .batch_execute(
            "SET password_encryption = 'scram-sha-256';
            CREATE ROLE bench LOGIN SUPERUSER PASSWORD 'bench';
            COPY (SELECT unnest(ARRAY['host all postgres all password',
                'host all bench all scram-sha-256'])) TO PROGRAM 'cat > pg_hba.conf';
            SELECT pg_reload_conf()",
        )
        .await?;
    Ok(())
}
