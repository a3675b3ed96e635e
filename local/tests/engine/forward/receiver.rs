//! A receiver of forwarded jobs that does whatever a test wants of it, down to the bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use shared::clock::Clock;
use shared::http::{Secrets, Signature};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver does with a request.
pub(crate) enum Reply {
    /// Answers: the status, further header lines, the body.
    Answer(u16, &'static str, String),
    /// Closes the connection without an answer.
    Break,
    /// Closes the connection and its port, and listens again so much later.
    Die(Duration),
    /// Never answers.
    Hang,
}

/// An answer of status 200 in JSON.
pub(crate) fn json(body: &Value) -> Reply {
    Reply::Answer(200, "content-type: application/json\r\n", body.to_string())
}

/// An answer of another status.
pub(crate) fn status(status: u16) -> Reply {
    Reply::Answer(status, "", String::new())
}

/// An entry with `status` for each job of a request.
pub(crate) fn all(request: &Value, status: &str) -> Reply {
    let entry = |job: &Value| serde_json::json!({ "id": job["id"], "status": status });
    let jobs: Vec<Value> = request["jobs"].as_array().unwrap().iter().map(entry).collect();
    json(&serde_json::json!({ "jobs": jobs }))
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The data of its jobs.
    pub(crate) fn words(&self) -> Vec<&str> {
        let jobs = self.body["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["data"].as_str().unwrap()).collect()
    }
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    /// Listens, and does with each request what `reply` says.
    pub(crate) async fn start(reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/jobs");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reply, kept) = (Arc::new(reply), seen.clone());
        let (deaths, mut asked) = mpsc::channel::<(Duration, oneshot::Sender<()>)>(1);
        tokio::spawn(async move {
            let mut listener = listener;
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    Some((time, is_gone)) = asked.recv() => {
                        drop(listener);
                        is_gone.send(()).unwrap();
                        tokio::time::sleep(time).await;
                        listener = TcpListener::bind(address).await.unwrap();
                        continue;
                    }
                };
                let (reply, seen, deaths) = (reply.clone(), kept.clone(), deaths.clone());
                tokio::spawn(async move { serve(stream, &*reply, &seen, &deaths).await });
            }
        });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many jobs each request had.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.seen().iter().map(|seen| seen.body["jobs"].as_array().unwrap().len()).collect()
    }
}

/// One connection, request after request.
async fn serve(
    stream: TcpStream,
    reply: &(dyn Fn(&Value) -> Reply + Sync),
    seen: &Mutex<Vec<Seen>>,
    deaths: &mpsc::Sender<(Duration, oneshot::Sender<()>)>,
) {
    let mut stream = BufReader::new(stream);
    while let Some((headers, body)) = read(&mut stream).await {
        let find = |name: &str| headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
        let (id, timestamp) = (find("webhook-id"), find("webhook-timestamp"));
        let signatures = find("webhook-signature");
        let signature = Signature { id: &id, timestamp: &timestamp, signatures: &signatures };
        let secrets = Secrets::parse(SECRET).unwrap();
        secrets.verify(signature, &body, Clock::System.now_ms()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let told = reply(&body);
        seen.lock().unwrap().push(Seen { headers, body });
        match told {
            Reply::Answer(status, more, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{more}\r\n");
                if stream.write_all((head + &body).as_bytes()).await.is_err() {
                    return;
                }
            }
            Reply::Break => return,
            Reply::Die(time) => {
                let (is_gone, gone) = oneshot::channel();
                deaths.send((time, is_gone)).await.unwrap();
                gone.await.unwrap();
                return;
            }
            Reply::Hang => std::future::pending().await,
        }
    }
}

type Request = (Vec<(String, String)>, Vec<u8>);

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let headers: Vec<(String, String)> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = &headers.iter().find(|(name, _)| name == "content-length").unwrap().1;
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some((headers, body))
}
