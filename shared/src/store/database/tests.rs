//! What becomes of every option of a URL.

use std::time::Duration;

use tokio_postgres::config::{ChannelBinding, Host, SslMode};

use super::super::ErrorKind;
use super::*;

fn parse(url: &str) -> Result<Database, Error> {
    Database::parse(&Secret::new(url))
}

fn sentence(url: &str) -> String {
    let error = parse(url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    error.to_string()
}

#[test]
fn an_orm_url_keeps_what_matters() {
    let database = parse(
        "postgresql://ann:s%40cret@ep-x-pooler.eu.neon.tech:6432/shop?schema=public&pgbouncer=true\
         &connection_limit=1&pool_timeout=20&connect_timeout=15&socket_timeout=5\
         &statement_cache_size=0&sslmode=verify-full&sslaccept=strict&channel_binding=require\
         &application_name=drain&options=project%3Dep-x",
    )
    .unwrap();
    let config = &database.config;
    assert_eq!(config.get_user(), Some("ann"));
    assert_eq!(config.get_password(), Some(b"s@cret".as_slice()));
    assert_eq!(config.get_hosts(), [Host::Tcp("ep-x-pooler.eu.neon.tech".to_owned())]);
    assert_eq!(config.get_ports(), [6432]);
    assert_eq!(config.get_dbname(), Some("shop"));
    assert_eq!(config.get_ssl_mode(), SslMode::Require);
    assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
    assert_eq!(config.get_application_name(), Some("drain"));
    assert_eq!(config.get_options(), Some("project=ep-x"));
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(5)));
    assert_eq!(database.schema(), Some("public"));
    assert!(database.tls.is_some());
}

#[test]
fn plaintext_stays_on_this_machine_unless_told_otherwise() {
    let encrypted = |url: &str| parse(url).unwrap().tls.is_some();
    for here in ["localhost", "127.0.0.1:5432", "127.8.0.1", "[::1]:5432", "%2Fvar%2Frun%2Fpg"] {
        assert!(!encrypted(&format!("postgres://u:p@{here}/d")), "{here}");
        assert!(!encrypted(&format!("postgres://u:p@{here}/d?sslmode=prefer")), "{here}");
        assert!(encrypted(&format!("postgres://u:p@{here}/d?sslmode=require")), "{here}");
    }
    for there in ["db", "10.0.0.7", "localhost.example.com", "localhost,db", "[2001:db8::1]:5432"] {
        assert!(encrypted(&format!("postgres://u:p@{there}/d")), "{there}");
        assert!(encrypted(&format!("postgres://u:p@{there}/d?sslmode=allow")), "{there}");
        assert!(encrypted(&format!("postgres://u:p@{there}/d?sslmode=verify-ca")), "{there}");
        assert!(!encrypted(&format!("postgres://u:p@{there}/d?sslmode=disable")), "{there}");
    }
    // A name says nothing when the address is given.
    assert!(encrypted("postgres://u:p@localhost/d?hostaddr=10.0.0.7"));
}

#[test]
fn a_host_may_stand_among_the_options() {
    let database = parse("postgres://u:p@/d?host=/var/run/postgresql&port=6000").unwrap();
    assert_eq!(database.config.get_hosts(), [Host::Unix("/var/run/postgresql".into())]);
    assert_eq!(database.place(), "/var/run/postgresql:6000");
}

#[test]
fn connecting_never_takes_longer_than_5_s() {
    for (option, seconds) in
        [("", 5), ("?connect_timeout=0", 5), ("?connect_timeout=2", 2), ("?connect_timeout=300", 5)]
    {
        let database = parse(&format!("postgres://u:p@db/d{option}")).unwrap();
        assert_eq!(
            database.config.get_connect_timeout(),
            Some(&Duration::from_secs(seconds)),
            "{option}"
        );
    }
}

#[test]
fn what_cannot_work_is_one_clear_sentence() {
    for (url, hint) in [
        ("mysql://u:p@h/d", "must begin with postgres://"),
        ("prisma://accelerate.example/?api_key=secret", "must begin with postgres://"),
        ("", "must begin with postgres://"),
        ("postgres:///d", "names no host"),
        ("postgres://u:p@h:port/d", "cannot be read"),
        (
            "postgres://u:p@h/d?sslmode=maybe",
            "has an sslmode that there is not: it takes disable, ",
        ),
        ("postgres://u:p@h/d?schema=a\"b", "schema is a name"),
        ("postgres://u:p@h/d?schema=", "schema is a name"),
        ("postgres://u:p@h/d?connect_timeout=soon", "number of seconds"),
        ("postgres://u:p@h/d?sslidentity=id.p12", "not supported"),
        ("postgres://u:p@h/d?sslmod=disable", "not supported"),
        ("postgres://u:p@h/d?sslrootcert=/nowhere.pem", "the file of sslrootcert"),
        ("postgres://u:p@localhost/d?channel_binding=require", "needs TLS"),
        ("postgres://u:p@h/d?channel_binding=perhaps", "cannot be read"),
    ] {
        let sentence = sentence(url);
        assert!(sentence.contains(hint), "{url}: {sentence}");
    }
}

#[test]
fn no_part_of_a_password_is_shown() {
    for url in [
        // Whoever forgets to encode: the rest of the password would become host, query or port.
        "postgres://u:hush@hush@db/d",
        "postgres://u:hush?hush@db/d",
        "postgres://u:hush?a=hush@db/d",
        "postgres://u:hush/hush@db:hush/d",
        "postgres://u:%FFhush@db:x/d",
        "postgres://u:p@db/d?password=hush&sslmode=hush",
        "postgres://u:p@db/d?password=hush&hush",
    ] {
        let shown = match parse(url) {
            Ok(database) => format!("{database:?} {}", database.place()),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("hush"), "{url}: {shown}");
    }
    let database = parse("postgres://u:hush@db/d").unwrap();
    assert_eq!(format!("{database:?}"), r#"Database { place: "db:5432", .. }"#);
}
