//! A call that its own replay overtakes: it hung on the way, was asked again, and arrives after all.

use std::time::Duration;

use shared::config::{Endpoint, Secret};
use shared::redis::{Limits, Options, Redis};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;

/// A way to Redis on which the first connection's second request hangs until it is let go.
struct Way {
    url: String,
    go: oneshot::Sender<()>,
    /// Redis has answered it.
    arrived: oneshot::Receiver<()>,
}

impl Way {
    async fn to(redis: &str) -> Self {
        let target = redis.trim_start_matches("redis://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let ((go, may_go), (arrive, arrived)) = (oneshot::channel(), oneshot::channel());
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&target).await.unwrap();
            tokio::spawn(async move {
                let mut text = vec![0; 1 << 16];
                let read = client.read(&mut text).await.unwrap();
                server.write_all(&text[..read]).await.unwrap();
                let read = server.read(&mut text).await.unwrap();
                client.write_all(&text[..read]).await.unwrap();
                let read = client.read(&mut text).await.unwrap();
                may_go.await.unwrap();
                server.write_all(&text[..read]).await.unwrap();
                assert!(server.read(&mut text).await.unwrap() > 0);
                arrive.send(()).unwrap();
            });
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        });
        Self { url, go, arrived }
    }
}

/// The same queue over a way on which the first call that is made hangs, and is asked again.
async fn hanging(b: &Bench) -> (Queue, Way) {
    let way = Way::to(&redis_server().await.url()).await;
    let limits = Limits { answer: Duration::from_millis(300), ..Limits::default() };
    let endpoint = Endpoint::Tcp { url: Secret::new(&*way.url), allow_plaintext: false };
    let client = Redis::with_options(&endpoint, Options { limits, ..Options::default() }).unwrap();
    // The connection is there from here on.
    client.call(Command::new("PING")).await.unwrap();
    (b.queue.over(client), way)
}

impl Way {
    async fn let_go(self) {
        self.go.send(()).unwrap();
        self.arrived.await.unwrap();
    }
}

async fn work_off(b: &Bench, count: usize) {
    let claim = b.claim().await;
    assert_eq!(b.settle(claim, done()).await.len(), count);
}

#[tokio::test]
async fn a_call_that_comes_after_its_own_replay_adds_nothing() {
    let gone =
        |opts: JobOptions| job(JobOptions { remove_on_complete: Some(KeepJobs::None), ..opts });
    let own = |id: &str| JobOptions { job_id: Some(id.to_owned()), ..JobOptions::default() };
    for (name, opts) in [
        ("plain", JobOptions::default()),
        ("deduplicated", dedup("d")),
        ("own", own("mine")),
        ("prioritized", JobOptions { priority: 3, ..JobOptions::default() }),
    ] {
        let b = Bench::new(&format!("overtaken-{name}")).await;
        // So that the scripts are known.
        b.add_plain(1).await;
        work_off(&b, 1).await;
        let (queue, way) = hanging(&b).await;
        queue.enqueue(&[gone(opts)]).await.unwrap();
        work_off(&b, 1).await;
        way.let_go().await;
        let counts = b.queue.counts().await.unwrap();
        assert_eq!((counts.wait, counts.prioritized), (0, 0), "{name}");
        let hashes = b.raw("KEYS", "[0-9]*", &[]).await.as_array().unwrap().len();
        assert_eq!((hashes, b.field("mine", "name").await), (1, None), "{name}");
    }
}

#[tokio::test]
async fn an_operator_s_call_that_comes_after_its_own_replay_does_nothing() {
    let mine = JobOptions { job_id: Some("mine".to_owned()), ..JobOptions::default() };
    let b = Bench::new("overtaken-remove").await;
    // So that the script is known.
    let warm = b.add(JobOptions::default()).await;
    b.queue.remove(&warm.id).await.unwrap();
    b.add(mine.clone()).await;
    let (queue, way) = hanging(&b).await;
    queue.remove("mine").await.unwrap();
    b.add(mine).await;
    way.let_go().await;
    assert_eq!(b.list("wait").await, ["mine"]);
}
