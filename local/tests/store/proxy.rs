//! A proxy between store and Postgres that reads along, and fails on demand.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_postgres::Client;

/// What a request to cancel begins with.
const CANCEL: [u8; 4] = 80_877_102_u32.to_be_bytes();

/// How long each statement takes more than it would.
pub(super) type Delay = Box<dyn FnMut() -> Duration + Send>;

#[derive(Default)]
pub(super) struct Watch {
    /// Statements sent, which is also the number of round trips.
    pub(super) statements: AtomicU32,
    pub(super) connections: AtomicU32,
    /// Requests to cancel a statement, each of which comes over a connection of its own.
    pub(super) cancels: AtomicU32,
    /// Names of prepared statements.
    pub(super) named: Mutex<Vec<String>>,
    /// So many times, the connection is cut after a statement went out and before its answer.
    pub(super) cuts: AtomicU32,
    /// No answer comes through any more on connections that are open.
    pub(super) frozen: AtomicBool,
    pub(super) delay: Mutex<Option<Delay>>,
    hold: Mutex<Option<Hold>>,
}

/// Keeps one message back.
struct Hold {
    kind: u8,
    reached: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

impl Watch {
    /// Keeps the next message of this kind, and all behind it, from the server. The first end tells
    /// when it has come, the second lets it go on.
    pub(super) fn hold(&self, kind: u8) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((reached, has_come), (release, go_on)) = (oneshot::channel(), oneshot::channel());
        *self.hold.lock().unwrap() = Some(Hold { kind, reached, go_on });
        (has_come, release)
    }

    pub(super) fn statements(&self) -> u32 {
        self.statements.swap(0, Ordering::SeqCst)
    }
}

/// `url` through a proxy.
pub(super) async fn through_proxy(url: &str) -> (String, Arc<Watch>) {
    let watch = Arc::new(Watch::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap().to_string();
    let there = url.split(['@', '/']).nth(3).unwrap().to_owned();
    let proxied = url.replace(&there, &here);
    let seen = watch.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            // Whoever comes after a freeze is served.
            seen.frozen.store(false, Ordering::SeqCst);
            let Ok(server) = TcpStream::connect(&there).await else { continue };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let frozen = Arc::new(AtomicBool::new(false));
            let answers = tokio::spawn(answers(from_server, to_client, frozen.clone()));
            let seen = seen.clone();
            tokio::spawn(async move {
                questions(from_client, to_server, &seen, &frozen).await;
                answers.abort();
            });
        }
    });
    (proxied, watch)
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, frozen: Arc<AtomicBool>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !frozen.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Passes the client's messages on until it leaves, or until it is time for a cut.
async fn questions(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    seen: &Watch,
    frozen: &AtomicBool,
) {
    // The first message has no type.
    let mut has_type = false;
    loop {
        let kind = if has_type { from.read_u8().await.ok() } else { Some(0) };
        let (Some(kind), Ok(length)) = (kind, from.read_u32().await) else { return };
        let mut body = vec![0; length as usize - 4];
        if from.read_exact(&mut body).await.is_err() {
            return;
        }
        frozen.fetch_or(seen.frozen.load(Ordering::SeqCst), Ordering::SeqCst);
        let hold = seen.hold.lock().unwrap().take_if(|hold| hold.kind == kind);
        if let Some(hold) = hold {
            hold.reached.send(()).unwrap();
            hold.go_on.await.unwrap();
        }
        if matches!(kind, b'S' | b'Q') {
            let delay = seen.delay.lock().unwrap().as_mut().map(|delay| delay());
            sleep(delay.unwrap_or_default()).await;
        }
        if has_type {
            to.write_u8(kind).await.unwrap();
        } else if body.starts_with(&CANCEL) {
            seen.cancels.fetch_add(1, Ordering::SeqCst);
        } else {
            seen.connections.fetch_add(1, Ordering::SeqCst);
        }
        to.write_u32(length).await.unwrap();
        to.write_all(&body).await.unwrap();
        has_type = true;
        match kind {
            b'P' => {
                let name = String::from_utf8_lossy(body.split(|&b| b == 0).next().unwrap()).into();
                seen.named.lock().unwrap().push(name);
            }
            b'S' | b'Q' => {
                seen.statements.fetch_add(1, Ordering::SeqCst);
                let left = |cuts: u32| cuts.checked_sub(1);
                if seen.cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Returns once a held statement over `"CrawlResult"` has its snapshot, and its server waits for the next
/// message. To be asked outside a transaction.
pub(super) async fn snapshot_is_taken(database: &Client) {
    let planned = r#"SELECT pid FROM pg_locks
        WHERE relation = '"deo_CrawlResult_projectId_idx"'::regclass AND pid <> pg_backend_pid()"#;
    let waits = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'ClientRead'";
    let taken = async {
        // The planner locks the index, and the snapshot follows before the server reads on.
        let planner: i32 = loop {
            if let Some(row) = database.query_opt(planned, &[]).await.unwrap() {
                break row.get(0);
            }
        };
        while database.query_opt(waits, &[&planner]).await.unwrap().is_none() {}
    };
    tokio::time::timeout(Duration::from_secs(30), taken).await.expect("nobody reads");
}
