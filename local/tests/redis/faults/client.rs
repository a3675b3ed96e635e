//! A REST client and a server that does what a test tells it.

use shared::config::{Endpoint, Secret};
use shared::redis::{Command, Limits, Options, Redis};

use crate::faults::scripted::{Protocol, Reaction, Scripted, http};

pub const ONE: &str = r#"{"result":1}"#;

pub fn ok(body: &str) -> Reaction {
    Reaction::Reply(http(200, &[], body))
}

pub fn status(code: u16, headers: &[&str], body: &str) -> Reaction {
    Reaction::Reply(http(code, headers, body))
}

pub fn html(code: u16) -> Reaction {
    status(code, &["Content-Type: text/html"], "<html><h1>Bad Gateway</h1></html>")
}

pub async fn start(reactions: impl IntoIterator<Item = Reaction>) -> (Scripted, Redis) {
    start_with(Limits::default(), reactions).await
}

pub async fn start_with(
    limits: Limits,
    reactions: impl IntoIterator<Item = Reaction>,
) -> (Scripted, Redis) {
    let server = Scripted::start(Protocol::Http, reactions).await;
    let config = Endpoint::Rest {
        url: format!("http://{}", server.address()),
        token: Secret::new("test-token"),
        allow_plaintext: false,
    };
    let redis = Redis::with_options(&config, Options { limits, ..Options::default() }).unwrap();
    (server, redis)
}

/// A command that must not be executed twice.
pub fn incr() -> Command {
    Command::new("INCR").arg("n")
}

/// A command that may be executed twice.
pub fn get() -> Command {
    Command::new("GET").arg("k").replay_safe()
}
