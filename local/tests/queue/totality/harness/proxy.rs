//! A proxy in front of Redis that puts a prelude before each script, which refuses some of its commands.
//! Nothing in the scripts or in the client knows of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::resp;

const PRELUDE: &str = include_str!("prelude.lua");

/// Which commands of scripts are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// None; each is noted in `totality:trace`.
    Trace,
    /// The n-th of a call.
    Once(u32),
    /// From the n-th on all of its name, until the proxy is disarmed.
    Name(u32),
    /// From the n-th on all of its name on its key, until the proxy is disarmed.
    Key(u32),
}

impl Obstacle {
    fn argument(self) -> String {
        match self {
            Self::Trace => "trace 0".to_owned(),
            Self::Once(n) => format!("once {n}"),
            Self::Name(n) => format!("name {n}"),
            Self::Key(n) => format!("key {n}"),
        }
    }
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    obstacle: Arc<Mutex<Option<Obstacle>>>,
}

impl Proxy {
    /// A proxy in front of the Redis at `target` (`host:port`).
    pub(crate) async fn before(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let obstacle = Arc::<Mutex<Option<Obstacle>>>::default();
        let armed = obstacle.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target.clone(), armed.clone()));
            }
        });
        Self { address, obstacle }
    }

    pub(crate) fn arm(&self, obstacle: Obstacle) {
        *self.obstacle.lock().unwrap() = Some(obstacle);
    }

    pub(crate) fn disarm(&self) {
        *self.obstacle.lock().unwrap() = None;
    }
}

fn sha1(text: &[u8]) -> Vec<u8> {
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, text);
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
}

async fn forward(client: TcpStream, target: String, armed: Arc<Mutex<Option<Obstacle>>>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (mut asked, mut answers) = resp::split(client);
    let (mut answered, mut asks) = resp::split(server);
    // By the hash of a script as the client knows it, that of the script with the prelude.
    let mut known = HashMap::<Vec<u8>, Vec<u8>>::new();
    while let Some(mut words) = resp::command(&mut asked).await {
        let obstacle = *armed.lock().unwrap();
        if let Some(obstacle) = obstacle {
            match words[0].to_ascii_uppercase().as_slice() {
                b"EVALSHA" => match known.get(&words[1]) {
                    Some(hash) => words[1] = hash.clone(),
                    None => {
                        let unknown = b"-NOSCRIPT No matching script. Please use EVAL.\r\n";
                        if answers.write_all(unknown).await.is_err() {
                            return;
                        }
                        continue;
                    }
                },
                b"EVAL" => {
                    let with = [PRELUDE.as_bytes(), &words[1]].concat();
                    known.insert(sha1(&words[1]), sha1(&with));
                    words[1] = with;
                }
                _ => {}
            }
            if words[0].to_ascii_uppercase().starts_with(b"EVAL") {
                words.push(obstacle.argument().into_bytes());
            }
        }
        let mut command = redis::Cmd::new();
        command.arg(&words);
        if asks.write_all(&command.get_packed_command()).await.is_err() {
            return;
        }
        let Some(reply) = resp::reply(&mut answered).await else { return };
        if answers.write_all(&reply).await.is_err() {
            return;
        }
    }
}
