//! Servers whose certificates are of a private authority or of their own making, over TCP and over REST.

mod servers;

use std::collections::BTreeMap;
use std::time::Duration;

use fixture::certificates::{Certificate, authority, self_signed, self_signed_as_openssl};
use gateway::{Gateway, GatewayConfig};
use shared::config::{Config, Endpoint, Secret};
use shared::redis::{Command, Error, ErrorKind, Redis, Value};
use tokio::time::Instant;

use self::servers::Served;

/// What a client of these settings gets for a PING.
async fn ping(served: &Served, host: &str, ca: Option<&str>) -> Result<Value, Error> {
    let mut env: BTreeMap<String, String> = served.settings(host).into_iter().collect();
    if let Some(ca) = ca {
        env.insert("REDIS_CA".to_owned(), ca.to_owned());
    }
    let redis = Config::from_env(&env).unwrap().redis_client()?.unwrap();
    redis.call(Command::new("PING").replay_safe()).await
}

fn pong() -> Value {
    Value::Bytes(b"PONG".to_vec())
}

/// Over both transports, a server with this certificate.
async fn both(certificate: &Certificate) -> [Served; 2] {
    [Served::tcp(certificate).await, Served::rest(certificate).await]
}

#[tokio::test]
async fn an_authority_s_text_or_path_lets_its_server_in() {
    let (ca, certificate) = authority();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my ca.pem");
    std::fs::write(&file, &ca).unwrap();
    let (other, _) = authority();
    for served in both(&certificate).await {
        for given in [
            ca.clone(),
            ca.replace('\n', "\\n"),
            ca.replace('\n', " "),
            format!("{other}{ca}"),
            file.display().to_string(),
        ] {
            assert_eq!(ping(&served, "localhost", Some(&given)).await.unwrap(), pong(), "{given}");
        }
    }
}

#[tokio::test]
async fn a_certificate_of_a_server_s_own_making_is_trusted_where_it_is_named() {
    let pem = |certificate: &Certificate| certificate.pem.clone();
    for certificate in [self_signed(), self_signed_as_openssl()] {
        for served in both(&certificate).await {
            let given = pem(&certificate);
            assert_eq!(ping(&served, "localhost", Some(&given)).await.unwrap(), pong());
            // Not another one, though it says the same of itself.
            for stranger in [self_signed(), self_signed_as_openssl()] {
                assert_untrusted(&served, "localhost", Some(&pem(&stranger))).await;
            }
            // Nor for another name.
            assert_untrusted(&served, "127.0.0.1", Some(&given)).await;
        }
    }
}

#[tokio::test]
async fn whom_nobody_vouches_for_is_refused_with_the_variable_s_name() {
    let (ca, certificate) = authority();
    let (other, _) = authority();
    for served in both(&certificate).await {
        assert_untrusted(&served, "localhost", None).await;
        assert_untrusted(&served, "localhost", Some(&other)).await;
        let named = assert_untrusted(&served, "127.0.0.1", Some(&ca)).await;
        assert!(named.contains("not valid for name"), "{named}");
    }
}

async fn assert_untrusted(served: &Served, host: &str, ca: Option<&str>) -> String {
    let error = ping(served, host, ca).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Configuration, "{error}");
    let told = error.to_string();
    let hint = format!(
        "check the host in {} and that nothing on the way takes its place, or name the authority that signed its \
         certificate in REDIS_CA",
        served.variable
    );
    assert!(told.contains("cannot be trusted (") && told.contains(&hint), "{told}");
    assert!(!told.contains("canary"), "{told}");
    told
}

#[tokio::test]
async fn the_gateway_trusts_whom_it_is_told_to() {
    let (ca, certificate) = authority();
    let served = Served::tcp(&certificate).await;
    let url = served.settings("localhost").remove(0).1;
    for (authorities, is_let_in) in [(Some(ca), true), (None, false)] {
        let config = GatewayConfig { authorities, ..GatewayConfig::new(&*url, "canary") };
        let gateway = Gateway::start(config).await.unwrap();
        let (url, token) = (gateway.url(), Secret::new("canary"));
        let redis = Redis::new(&Endpoint::Rest { url, token, allow_plaintext: false }).unwrap();
        let soon = Instant::now() + Duration::from_secs(2);
        let answer = redis.until(soon).call(Command::new("PING").replay_safe()).await;
        assert_eq!(answer.is_ok(), is_let_in, "{answer:?}");
    }
    let authorities = Some("/no/such.pem".to_owned());
    let config = GatewayConfig { authorities, ..GatewayConfig::new(&*url, "canary") };
    let refused = Gateway::start(config).await.unwrap_err().to_string();
    assert!(refused.contains("(REDIS_CA): cannot be read"), "{refused}");
}

#[tokio::test]
async fn what_is_no_certificate_keeps_the_client_from_starting() {
    let served = Served::tcp(&authority().1).await;
    for given in ["/no/such/file.pem", "-----BEGIN CERTIFICATE-----", "canary"] {
        let error = ping(&served, "localhost", Some(given)).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Configuration);
        let told = error.to_string();
        assert!(told.starts_with("REDIS_CA cannot be read as PEM certificates"), "{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}
