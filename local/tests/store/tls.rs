//! TLS towards a server of our own, with an authority of our own.

use std::path::PathBuf;

use local::tls_front::TlsFront;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use servers::PostgresServer;
use shared::config::Secret;
use shared::store::{Database, ErrorKind};
use tables::migrations::migrate;
use tempfile::TempDir;

use super::{Sql, store, strings};

/// An authority's certificate, and one that it signed for `localhost` with its key: PEM.
struct Certified {
    ca: String,
    own: String,
    key: String,
}

impl Certified {
    fn by_an_authority() -> Self {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let own = own.signed_by(&key, &ca).unwrap();
        Self { ca: ca.pem(), own: own.pem(), key: key.serialize_pem() }
    }
}

/// A server that speaks TLS as `localhost`, with SCRAM, and the file of the authority that vouches
/// for it.
struct TlsServer {
    server: PostgresServer,
    folder: TempDir,
}

impl TlsServer {
    /// `None` where this machine's Postgres was built without TLS, as that of the PyPI wheel.
    async fn start() -> Option<Self> {
        let Certified { ca, own, key } = Certified::by_an_authority();
        let this = Self {
            server: PostgresServer::start().await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(this.ca_file(), ca).unwrap();
        let sql = Sql::connect(&this.server.url()).await;
        if sql
            .number("SELECT count(*) FROM pg_config WHERE setting ~ '--with-(openssl|ssl=openssl)'")
            .await
            == 0
        {
            return None;
        }
        // The server writes its own files, wherever and as whoever it runs.
        for (file, text) in [
            ("server.crt", own),
            ("server.key", key),
            (
                "pg_hba.conf",
                "host all postgres all password\nhostssl all ann all scram-sha-256".into(),
            ),
        ] {
            sql.run(&format!(
                "COPY (SELECT unnest(string_to_array('{}', chr(10))))
                TO PROGRAM 'umask 077; rm -f {file}; cat > {file}'",
                text.trim()
            ))
            .await;
        }
        sql.run("CREATE ROLE ann LOGIN PASSWORD 'hush'").await;
        sql.run("ALTER SYSTEM SET ssl = on").await;
        let mut this = this;
        this.server.restart().await.unwrap();
        Some(this)
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// As ann, under this name of the server's.
    fn url(&self, host: &str, options: &str) -> String {
        let url = self.server.url();
        let port = url.rsplit(':').next().unwrap().split('/').next().unwrap();
        let options = options.replace("CA", &self.ca_file().display().to_string());
        format!("postgres://ann:hush@{host}:{port}/postgres?{options}")
    }
}

#[tokio::test]
async fn certificates_are_verified_and_the_channel_is_bound() {
    let Some(server) = TlsServer::start().await else {
        println!("skipped: this Postgres was built without TLS");
        return;
    };
    for options in [
        "sslmode=require&sslrootcert=CA",
        "sslmode=verify-full&sslrootcert=CA&channel_binding=require&pgbouncer=true",
        "sslmode=verify-ca&sslrootcert=CA&channel_binding=disable",
    ] {
        store(&server.url("localhost", options)).ping().await.unwrap();
    }
    for (host, options, reason) in [
        // Nobody we know vouches for it, whatever the options say.
        (
            "localhost",
            "sslmode=require&sslaccept=accept_invalid_certs",
            "UnknownIssuer); check the host",
        ),
        // Somebody does, but for another name.
        ("127.0.0.1", "sslmode=require&sslrootcert=CA", "not valid for name"),
        // The server does not let ann in without TLS.
        ("localhost", "sslmode=disable", "no encryption"),
        ("localhost", "", "no encryption"),
    ] {
        let error = store(&server.url(host, options)).ping().await.unwrap_err();
        assert!(error.is_unavailable());
        let told = error.kind() == ErrorKind::Configuration;
        assert!(told && error.to_string().contains(reason), "{host} {options}: {error}");
        assert!(!error.to_string().contains("hush"));
    }
    let wrong = server.url("localhost", "sslmode=require&sslrootcert=CA").replace("hush", "hash");
    let error = store(&wrong).ping().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Configuration, Some("28P01")));
}

#[tokio::test]
async fn a_statement_is_cancelled_over_tls() {
    let Some(server) = TlsServer::start().await else {
        println!("skipped: this Postgres was built without TLS");
        return;
    };
    let url = server.server.url();
    migrate(&Database::parse(&Secret::new(&*url)).unwrap(), false).await.unwrap();
    let sql = Sql::connect(&url).await;
    sql.run(r#"GRANT ALL ON ALL TABLES IN SCHEMA public TO ann; BEGIN; LOCK TABLE "Project""#)
        .await;
    let other = Sql::connect(&url).await;
    let store = store(&server.url("localhost", "sslmode=require&sslrootcert=CA"));
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(1);
    let read = store.signals_until(&strings(&["p"]), until).await.unwrap();
    assert!(read["p"].as_ref().is_err_and(shared::store::Error::is_overdue), "{read:?}");
    other.nothing_is_under_way().await;
}

#[tokio::test]
async fn tls_begins_at_once_where_the_url_says_so() {
    let url = super::server().await.create_database().await.unwrap();
    let place = url.split('@').nth(1).unwrap();
    let Certified { ca, own, key } = Certified::by_an_authority();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, ca).unwrap();
    let target = place.split('/').next().unwrap().parse().unwrap();
    let front = TlsFront::before(target, &own, &key, Some("postgresql")).await.unwrap();
    let at_the_front =
        url.replace(place.split('/').next().unwrap(), &format!("localhost:{}", front.port()));
    let with = |options| {
        format!("{at_the_front}?sslmode=require&sslrootcert={}{options}", ca_file.display())
    };
    store(&with("&sslnegotiation=direct")).ping().await.unwrap();
    // It answers TLS alone, not the question whether it would speak it.
    store(&with("")).ping().await.unwrap_err();
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let server = PostgresServer::start().await.unwrap();
    let error = store(&format!("{}?sslmode=require", server.url())).ping().await.unwrap_err();
    assert!(error.to_string().contains("does not support TLS"), "{error}");
}
