//! What a command says that Postgres refuses: what is wrong, and how to mend it.

use servers::PostgresServer;
use tokio_postgres::NoTls;

use crate::process::{deo, open_folder};

/// A database of our own, and what runs statements as its owner.
struct Refusing {
    server: PostgresServer,
    url: String,
}

impl Refusing {
    async fn new() -> Self {
        let server = PostgresServer::start().await.unwrap();
        let url = server.create_database().await.unwrap();
        let this = Self { server, url };
        this.run("CREATE ROLE guest LOGIN PASSWORD 'canary'").await;
        this
    }

    async fn run(&self, text: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(text).await.unwrap();
    }

    /// The same database, for a role without any right.
    fn as_guest(&self) -> String {
        let (_, place) = self.url.split_once('@').unwrap();
        format!("postgres://guest:canary@{place}")
    }

    /// What the command says that fails on this database.
    fn told(&self, url: &str, arguments: &[&str]) -> String {
        let folder = open_folder();
        let mut command = deo(folder.path());
        let output = command.args(arguments).env("DATABASE_URL", url).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(!told.contains("canary"), "{told}");
        told
    }
}

#[tokio::test]
async fn a_role_that_may_make_no_database_is_told_by_the_demo() {
    let it = Refusing::new().await;
    let told = it.told(&it.as_guest(), &["demo", "--projects", "1"]);
    assert!(
        told.contains("making the demo's database") && told.contains("permission denied"),
        "{told}"
    );
    assert!(told.contains("CREATEDB"), "{told}");
}

#[tokio::test]
async fn a_role_without_rights_is_sent_to_the_owner_by_migrate() {
    let it = Refusing::new().await;
    let told = it.told(&it.as_guest(), &["migrate"]);
    assert!(told.contains("permission denied") && told.contains("as the tables' owner"), "{told}");
    it.told(&it.url, &["migrate", "--baseline"]);
    let made = deo(open_folder().path()).arg("migrate").env("DATABASE_URL", &it.url).status();
    assert!(made.unwrap().success());
    it.run("GRANT USAGE ON SCHEMA deo TO guest").await;
    let told = it.told(&it.as_guest(), &["migrate", "--check"]);
    let right = "permission denied for table schema_history";
    assert!(told.contains(right) && told.contains("as the tables' owner"), "{told}");
}

#[tokio::test]
async fn a_database_without_tables_is_told_by_shadow_as_by_history() {
    let it = Refusing::new().await;
    for arguments in [&["shadow"][..], &["history", "p1"]] {
        let told = it.told(&it.url, arguments);
        assert!(told.contains(r#"relation "Project" does not exist"#), "{told}");
        assert!(told.contains("`deo migrate --check` tells what"), "{told}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_or_speaks_no_tls_is_told_with_what_to_look_at() {
    let mut it = Refusing::new().await;
    let tls = format!("{}?sslmode=require", it.url);
    let told = it.told(&tls, &["migrate", "--check"]);
    assert!(told.contains("does not support TLS") && told.contains("sslmode=disable"), "{told}");
    let url = it.url.clone();
    it.server = PostgresServer::start().await.unwrap();
    let told = it.told(&url, &["migrate", "--check"]);
    assert!(told.contains("Is it running, and does DATABASE_URL lead to it?"), "{told}");
}
