//! The first request after a freeze, as Lambda's between two invocations: nothing of ours ran while
//! the server closed the connection. Even a command that is not replay-safe must not fail.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};

use shared::config::{Endpoint, Secret};
use shared::redis::{Redis, Usage};
use tokio::sync::Notify;

use crate::faults::client::{ONE, incr};
use crate::faults::scripted::{Protocol, Reaction, Scripted, http};

/// A server in a thread of its own, which goes on while this one is frozen.
struct Elsewhere {
    address: SocketAddr,
    close: Arc<Notify>,
    closed: mpsc::Receiver<()>,
    // Dropped: the server stops.
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Elsewhere {
    /// Answers `answer` to everything; the first connection can be closed.
    fn start(protocol: Protocol, answer: Vec<u8>) -> Self {
        let close = Arc::new(Notify::new());
        let reactions =
            [Reaction::ReplyAndCloseWhen(answer.clone(), close.clone()), Reaction::Reply(answer)];
        let (started, address) = mpsc::channel();
        let (notify, closed) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let server = Scripted::start(protocol, reactions).await;
                started.send(server.address()).unwrap();
                server.wait_for_close().await;
                notify.send(()).unwrap();
                stopped.await.ok();
            });
        });
        Self { address: address.recv().unwrap(), close, closed, _stop: stop }
    }

    /// Blocks the thread, and with it the client's runtime, while the server closes.
    fn freeze_and_close(&self) {
        self.close.notify_one();
        self.closed.recv().unwrap();
    }
}

#[tokio::test]
async fn over_rest() {
    let server = Elsewhere::start(Protocol::Http, http(200, &[], ONE));
    let config = Endpoint::Rest {
        url: format!("http://{}", server.address),
        token: Secret::new("test-token"),
        allow_plaintext: false,
    };
    survives(&config, &server).await;
}

#[tokio::test]
async fn over_tcp() {
    let server = Elsewhere::start(Protocol::Resp, b":1\r\n".to_vec());
    let url = Secret::new(format!("redis://{}", server.address));
    survives(&Endpoint::Tcp { url, allow_plaintext: false }, &server).await;
}

async fn survives(config: &Endpoint, server: &Elsewhere) {
    let redis = Redis::new(config).unwrap();
    redis.call(incr()).await.unwrap();
    server.freeze_and_close();
    redis.call(incr()).await.unwrap();
    assert_eq!(redis.usage(), Usage { billed: 2, round_trips: 2 });
}
