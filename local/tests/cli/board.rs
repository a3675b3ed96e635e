//! `deo up` with bull-board, where Node is, and without.

use std::env;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::timeout;

use crate::process::{Up, eventually, open_folder};

/// Whether there is such a program.
fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap();
    env::split_paths(&path).any(|folder| folder.join(program).exists())
}

async fn shown(http: &reqwest::Client, up: &Up, path: &str) -> Value {
    let answer =
        http.get(format!("{}/api/queues{path}", up.place("boardUrl"))).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn completed(http: &reqwest::Client, up: &Up) -> Option<u64> {
    let queues = shown(http, up, "").await;
    assert_eq!(queues["queues"][0]["name"], "deo_score_queue", "{queues}");
    queues["queues"][0]["counts"]["completed"].as_u64()
}

#[tokio::test]
async fn bull_board_shows_the_queue_to_this_machine_and_ends_with_it() {
    if !is_there("node") || !is_there("npm") {
        eprintln!("left out: there is no Node here");
        return;
    }
    let mut up = Up::start_with(|up| up.args(["--board-port", "0"]));
    shared::tls::install_provider();
    let http = reqwest::Client::new();
    let page = http.get(up.place("boardUrl")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("<title>Bull Dashboard</title>"));

    assert_eq!(completed(&http, &up).await, Some(0));
    let path = format!("{}/projects/{}/deo-score", up.place("apiUrl"), up.place("projectId"));
    let asked = http.post(format!("{path}/recompute")).bearer_auth(up.place("token"));
    assert_eq!(asked.send().await.unwrap().status(), 201);
    let done = async { while completed(&http, &up).await != Some(1) {} };
    timeout(Duration::from_secs(60), done).await.expect("the board shows the completed job");

    // The drain keeps no connection, and is told of by its heartbeat, which comes at the tick's end.
    let told = async { while shown(&http, &up, "").await["queues"][0]["hasWorkers"] != true {} };
    timeout(Duration::from_secs(20), told).await.expect("the board shows the drain");
    let workers = shown(&http, &up, "/deo_score_queue/workers").await;
    assert_eq!(workers["workers"][0]["id"], "drain", "{workers}");
    let metrics = shown(&http, &up, "/deo_score_queue/metrics").await;
    assert_eq!(metrics["completed"]["meta"]["count"], 1, "{metrics}");

    // A page whose name was pointed at the loopback.
    let foreign = http.get(up.place("boardUrl")).header("host", "example.com:3001");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    // One of another site that sends it something, and one that links to it.
    let url = up.place("boardUrl");
    for (request, status) in [(http.post(url), 403), (http.get(url), 200)] {
        let answer = request.header("sec-fetch-site", "cross-site").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }

    let address = up.place("boardUrl").trim_start_matches("http://").to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(up.end_by(Signal::KILL).code(), None);
    eventually("the board ends with a deo that was killed", || {
        TcpStream::connect(&address).is_err()
    });
}

#[test]
fn why_the_board_ended_is_told_in_its_own_words() {
    if !is_there("node") || !is_there("npm") {
        eprintln!("left out: there is no Node here");
        return;
    }
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let up = Up::start_with(|up| up.args(["--board-port", &port]));
    assert!(!up.has("boardUrl"));
    let errors = up.errors();
    assert!(errors.contains("No bull-board: it ended: Error: listen EADDRINUSE"), "{errors}");
}

#[test]
fn without_node_everything_else_is_there_and_a_note_says_why() {
    let programs = open_folder();
    for folder in env::split_paths(&env::var_os("PATH").unwrap()) {
        for program in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = program.file_name();
            if name != "node" && name != "npm" {
                // An error means that an earlier folder has one of this name.
                let _ = symlink(program.path(), programs.path().join(name));
            }
        }
    }
    let up = Up::start_with(|up| up.env("PATH", programs.path()));
    assert!(up.has("apiUrl") && !up.has("boardUrl"));
    let errors = up.errors();
    assert!(errors.contains("No bull-board: it needs Node 20 with npm"), "{errors}");
}
