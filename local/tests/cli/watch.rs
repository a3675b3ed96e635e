//! `deo queue watch`, on a terminal that `script` makes, and without one.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use servers::RedisServer;
use tempfile::TempDir;

use crate::process::{deo, open_folder};

/// A `deo queue watch` on a terminal of its own, between two looks at how that is set.
struct Terminal {
    child: Child,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    fn watching(redis: &RedisServer, folder: &TempDir) -> Self {
        let deo = env!("CARGO_BIN_EXE_deo");
        // Ctrl-C reaches the shell as well, which is to outlive it.
        let shell = format!(
            "trap : INT; echo before=$(stty -g); {deo} queue watch --interval 200ms; echo code=$?; echo after=$(stty -g)"
        );
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &shell, "/dev/null"]).env("REDIS_URL", redis.url());
        // Not the user's own, whichever that is.
        script.env("SHELL", "/bin/sh");
        script.env_remove("REDIS_TRANSPORT").env("TMPDIR", folder.path()).env("TERM", "xterm");
        let mut child = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script of util-linux");
        let mut stdout = child.stdout.take().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, output, seen: String::new() }
    }

    /// Waits until `what` was written after all that was waited for before; gives what came between.
    fn until(&mut self, what: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(at) = self.seen.find(what) {
                let rest = self.seen.split_off(at + what.len());
                let mut between = std::mem::replace(&mut self.seen, rest);
                between.truncate(at);
                return between;
            }
            let left = Duration::from_secs(30).saturating_sub(began.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(_) => panic!("no {what:?} in {:?}", self.seen),
            }
        }
    }

    /// What is written up to the end of the line.
    fn line(&mut self) -> String {
        self.until("\r\n")
    }

    fn press(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// It ends with `code`, and the terminal is as it was.
    fn assert_ends(mut self, code: &str, before: &str) {
        self.until("\x1b[?1049l");
        self.until("code=");
        assert_eq!(self.line(), code);
        self.until("after=");
        assert_eq!(self.line(), before);
        self.child.wait().unwrap();
    }
}

fn with(redis: &RedisServer, arguments: &[&str]) -> Output {
    let folder = open_folder();
    deo(folder.path()).args(arguments).env("REDIS_URL", redis.url()).output().unwrap()
}

#[tokio::test]
async fn on_a_terminal_it_lives_until_a_key_ends_it() {
    let redis = RedisServer::start().await.unwrap();
    // q, and Ctrl-C.
    for (round, (key, code)) in [("q", "0"), ("\x03", "130")].into_iter().enumerate() {
        let folder = open_folder();
        let mut terminal = Terminal::watching(&redis, &folder);
        terminal.until("before=");
        let before = terminal.line();
        terminal.until("\x1b[?1049h");
        terminal.until("q ends");
        terminal.until(&format!(" wait{:18}{round}", ""));
        let added = with(&redis, &["enqueue", "--project", &format!("p{round}"), "--json"]);
        assert!(added.status.success());
        terminal.until(&format!(" wait{:18}{}", "", round + 1));
        // No other key does anything.
        terminal.press("xy\n");
        terminal.until("q ends");
        terminal.press(key);
        terminal.assert_ends(code, &before);
    }
}

#[tokio::test]
async fn elsewhere_it_writes_a_line_a_look() {
    let redis = RedisServer::start().await.unwrap();
    with(&redis, &["enqueue", "--project", "a", "b", "--json"]);
    let often = ["queue", "watch", "--interval", "100ms", "--count", "3"];
    let text = String::from_utf8(with(&redis, &often).stdout).unwrap();
    assert_eq!(text.matches("  wait 2  ").count(), 3, "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let text = String::from_utf8(with(&redis, &[&often[..], &["--json"]].concat()).stdout).unwrap();
    let looks: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(looks.len(), 3);
    assert!(looks.iter().all(|look| look["counts"]["wait"] == 2), "{text}");
    let times: Vec<i64> = looks.iter().map(|look| look["at"].as_i64().unwrap()).collect();
    assert!(times.is_sorted() && times[2] > times[0], "{times:?}");
}

#[tokio::test]
async fn a_look_at_an_idle_queue_costs_two_commands() {
    let redis = RedisServer::start().await.unwrap();
    let executed = async || {
        let client = shared::redis::Redis::new(&shared::config::Endpoint::Tcp {
            url: shared::config::Secret::new(redis.url()),
            allow_plaintext: false,
        });
        let info = shared::redis::Command::new("INFO").arg("commandstats");
        let info = client.unwrap().call(info).await.unwrap();
        let calls =
            info.as_str().unwrap().lines().filter_map(|line| {
                line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok()
            });
        calls.sum::<u64>()
    };
    let mut spent = Vec::new();
    for looks in ["1", "2", "12"] {
        let before = executed().await;
        with(&redis, &["queue", "watch", "--interval", "100ms", "--count", looks]);
        spent.push(executed().await - before);
    }
    assert_eq!((spent[1] - spent[0], spent[2] - spent[0]), (2, 22), "{spent:?}");
}

#[tokio::test]
async fn what_cannot_be_seen_at_all_is_an_error() {
    let redis = RedisServer::start().await.unwrap();
    let url = redis.url();
    drop(redis);
    let folder = open_folder();
    let output =
        deo(folder.path()).args(["queue", "watch"]).env("REDIS_URL", url).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}
