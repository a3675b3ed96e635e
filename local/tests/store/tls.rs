//! TLS towards a server of our own, with an authority of our own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fixture::certificates::{Certificate, authority, self_signed, self_signed_as_openssl};
use local::tls_front::TlsFront;
use servers::PostgresServer;
use shared::config::{Config, Secret};
use shared::store::{Database, ErrorKind, Store};
use tables::migrations::migrate;
use tempfile::TempDir;

use super::{Sql, store, strings};

/// A server that speaks TLS as `localhost`, with SCRAM, and the file of the authority that vouches
/// for it.
struct TlsServer {
    server: PostgresServer,
    folder: TempDir,
}

impl TlsServer {
    /// `None` where this machine's Postgres was built without TLS, as that of the PyPI wheel.
    async fn start() -> Option<Self> {
        let (ca, certificate) = authority();
        Self::with(&ca, &certificate).await
    }

    async fn with(ca: &str, certificate: &Certificate) -> Option<Self> {
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
            ("server.crt", certificate.pem.clone()),
            ("server.key", certificate.key.clone()),
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
            "UnknownIssuer); check the host in DATABASE_URL, or name the authority that signed its certificate \
             in DATABASE_CA, or with sslrootcert=",
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

/// Whether a server is let in, with these settings beside its URL.
async fn let_in(server: &TlsServer, options: &str, ca: Option<&str>) -> Result<(), String> {
    let mut env = BTreeMap::from([("DATABASE_URL".to_owned(), server.url("localhost", options))]);
    env.extend(ca.map(|ca| ("DATABASE_CA".to_owned(), ca.to_owned())));
    let config = Config::from_env(&env).unwrap();
    let database = Database::configured(&config).map_err(|error| error.to_string())?.unwrap();
    Store::over(database).ping().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn database_ca_takes_text_or_a_path_and_sslrootcert_goes_before_it() {
    let (ca, certificate) = authority();
    let Some(server) = TlsServer::with(&ca, &certificate).await else {
        println!("skipped: this Postgres was built without TLS");
        return;
    };
    let (other, _) = authority();
    let path = server.ca_file().display().to_string();
    let tls = "sslmode=require";
    for given in [&ca, &ca.replace('\n', "\\n"), &path] {
        let_in(&server, tls, Some(given)).await.unwrap();
        let_in(&server, "sslmode=require&channel_binding=require", Some(given)).await.unwrap();
    }
    let_in(&server, "sslmode=require&sslrootcert=CA", Some(&other)).await.unwrap();
    for (options, given) in
        [(tls, None), (tls, Some(&*other)), ("sslmode=require&sslrootcert=system", Some(&*ca))]
    {
        let told = let_in(&server, options, given).await.unwrap_err();
        assert!(told.contains("cannot be trusted") && told.contains("in DATABASE_CA"), "{told}");
        assert!(!told.contains("hush"), "{told}");
    }
    for given in ["/no/such.pem", "-----BEGIN CERTIFICATE-----"] {
        let told = let_in(&server, tls, Some(given)).await.unwrap_err();
        assert!(told.starts_with("DATABASE_CA cannot be read as PEM certificates"), "{told}");
    }
}

#[tokio::test]
async fn a_certificate_of_the_server_s_own_making_is_trusted_where_it_is_named() {
    for certificate in [self_signed(), self_signed_as_openssl()] {
        let Some(server) = TlsServer::with(&certificate.pem, &certificate).await else {
            println!("skipped: this Postgres was built without TLS");
            return;
        };
        let_in(&server, "sslmode=require", Some(&certificate.pem)).await.unwrap();
        let_in(&server, "sslmode=verify-full&sslrootcert=CA", None).await.unwrap();
        let told = let_in(&server, "sslmode=require", None).await.unwrap_err();
        assert!(told.contains("in DATABASE_CA"), "{told}");
        let stranger = self_signed_as_openssl();
        let told = let_in(&server, "sslmode=require", Some(&stranger.pem)).await.unwrap_err();
        assert!(told.contains("in DATABASE_CA"), "{told}");
    }
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
    let (ca, Certificate { pem, key }) = authority();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, ca).unwrap();
    let target = place.split('/').next().unwrap().parse().unwrap();
    let front = TlsFront::before(target, &pem, &key, Some("postgresql")).await.unwrap();
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
