//! Certificates are verified, always: nothing is sent to a server that nobody vouches for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use shared::config::{Endpoint, Secret};
use shared::redis::{ErrorKind, Limits, Options, Redis, Retry, Usage};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::faults::client::get;

/// A server on `localhost` with a certificate of its own making. Ends when somebody got through to
/// it, and panics then.
async fn self_signed() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    shared::tls::install_provider();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let got = stream.read_u8().await;
                assert!(got.is_err(), "a request was sent to a stranger");
            }
        }
    });
    (address, task)
}

#[tokio::test]
async fn a_stranger_is_refused_at_once() {
    let (address, server) = self_signed().await;
    let port = address.port();
    for config in [
        Endpoint::Rest {
            url: format!("https://localhost:{port}"),
            token: Secret::new("test-token"),
            allow_plaintext: true,
        },
        Endpoint::Tcp {
            url: Secret::new(format!("rediss://:canary-password@localhost:{port}")),
            allow_plaintext: true,
        },
    ] {
        let redis = Redis::new(&config).unwrap();
        let started = Instant::now();
        let error = redis.call(get()).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(5), "it is not worth another try");
        assert_eq!((error.kind(), error.retry()), (&ErrorKind::Configuration, Retry::Never));
        assert!(error.to_string().contains("cannot be trusted"), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(redis.usage(), Usage::default());
    }
    assert!(!server.is_finished());
}

#[tokio::test]
async fn a_server_that_shakes_no_hands_is_given_up_in_time_and_was_sent_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let limits = Limits { connect: Duration::from_millis(200), ..Limits::default() };
    for config in [
        Endpoint::Rest {
            url: format!("https://localhost:{port}"),
            token: Secret::new("test-token"),
            allow_plaintext: false,
        },
        Endpoint::Tcp {
            url: Secret::new(format!("rediss://localhost:{port}")),
            allow_plaintext: false,
        },
    ] {
        let redis = Redis::with_options(&config, Options { limits, ..Options::default() }).unwrap();
        let started = Instant::now();
        let soon = tokio::time::Instant::now() + Duration::from_secs(5);
        let incr = crate::faults::client::incr();
        let error = redis.until(soon).call(incr).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        assert_eq!(error.kind(), &ErrorKind::Unavailable, "not ambiguous: {error}");
        assert_eq!(redis.usage(), Usage::default());
    }
}

async fn refusal(url: String) -> String {
    let limits = Limits { connect: Duration::from_millis(500), ..Limits::default() };
    let config = Endpoint::Tcp { url: Secret::new(url), allow_plaintext: true };
    let redis = Redis::with_options(&config, Options { limits, ..Options::default() }).unwrap();
    redis
        .until(tokio::time::Instant::now() + Duration::from_secs(5))
        .call(get())
        .await
        .unwrap_err()
        .to_string()
}

#[tokio::test]
async fn who_comes_without_tls_to_a_server_that_wants_it_is_told_so() {
    let (address, _server) = self_signed().await;
    for userinfo in ["", ":canary-password@"] {
        let error = refusal(format!("redis://{userinfo}localhost:{}", address.port())).await;
        assert!(error.contains("rediss://") && !error.contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn who_comes_with_tls_to_a_server_without_it_is_told_so() {
    // As Redis does, which waits for the rest of what it takes for a command.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = refusal(format!("rediss://{}", silent.local_addr().unwrap())).await;
    assert!(error.contains("in time over TLS (redis:// goes without)"), "{error}");
}
