//! The functions as they run on Lambda: cargo-lambda's emulator, real events, the REST transport.
//!
//! It needs cargo-lambda on the PATH, so it is not among the default tests:
//! `cargo test --workspace --test lambda`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fixture::contract;
use gateway::{Gateway, GatewayConfig};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use servers::{PostgresServer, RedisServer};
use shared::config::VARIABLES;

const PROJECT: &str = "SELECT \"id\", \"userId\" FROM \"Project\" ORDER BY \"id\" LIMIT 1";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A command with these settings and no others of ours. What cargo tells a test about its package
/// would have the cargo in it build `ring`, and all that needs it, once more.
fn command(program: &str, settings: &[(&str, String)]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace());
    for variable in VARIABLES {
        command.env_remove(variable.name);
    }
    for (name, _) in env::vars() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs `deo` to its end; what it wrote.
fn deo(settings: &[(&str, String)], arguments: &[&str]) -> String {
    let output = command(env!("CARGO_BIN_EXE_deo"), settings).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "deo {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// `cargo lambda watch`, which builds and starts each function at its first event.
struct Emulator {
    process: Child,
    port: u16,
}

impl Emulator {
    fn start(settings: &[(&str, String)]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = command("cargo", settings)
            .args(["lambda", "watch", "--ignore-changes", "--locked"])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("cargo");
        let mut emulator = Self { process, port };
        emulator.wait();
        emulator
    }

    /// Until it listens: it says so nowhere before.
    fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "cargo lambda watch ended ({ended:?}): is cargo-lambda there?"
            );
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "cargo lambda watch does not listen"
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// `cargo lambda invoke`: the function's answer.
    fn invoke(&self, function: &str, event: &Value) -> Value {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), event.to_string()).unwrap();
        let output = command("cargo", &[])
            .args(["lambda", "invoke", function, "--data-file"])
            .arg(file.path())
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &self.port.to_string()])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo lambda invoke {function}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The status and the JSON body of `api`'s answer to an API Gateway event.
    fn request(&self, event: &Value) -> (u64, Value) {
        let answer = self.invoke("api", event);
        let body = answer["body"].as_str().expect("a body");
        (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(body).unwrap())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its functions too.
        let process = Pid::from_child(&self.process);
        let _ = kill_process(process, Signal::TERM);
        let _ = self.process.wait();
    }
}

/// An event of `local/events`, with a project and a token in place of `PROJECT` and `TOKEN`.
fn event(name: &str, project: &str, token: &str) -> Value {
    let path = workspace().join("local/events").join(name);
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text.replace("PROJECT", project).replace("TOKEN", token)).unwrap()
}

// Several threads: this one blocks on the emulator while the gateway answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_through_api_gateway_is_scored_by_the_next_scheduled_tick() {
    let redis = RedisServer::start().await.unwrap();
    let postgres = PostgresServer::start().await.unwrap();
    let database = postgres.create_database().await.unwrap();
    let gateway = Gateway::start(GatewayConfig::new(redis.url(), "lambda-token")).await.unwrap();
    let settings = [
        ("UPSTASH_REDIS_REST_URL", gateway.url()),
        ("UPSTASH_REDIS_REST_TOKEN", "lambda-token".to_owned()),
        ("DATABASE_URL", database.clone()),
        ("JWT_SECRET", "lambda-secret".to_owned()),
        ("DRAIN_WAKE_TOKEN", "lambda-wake".to_owned()),
    ];
    deo(&settings, &["migrate"]);
    deo(&settings, &["seed", "--projects", "3", "--pages", "2", "--products", "2"]);
    let (client, connection) =
        tokio_postgres::connect(&database, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_one(PROJECT, &[]).await.unwrap();
    let (project, user): (String, String) = (row.get(0), row.get(1));
    let token = deo(&settings, &["token", "--user", &user]);
    let event = |name: &str| event(name, &project, &token);

    let emulator = Emulator::start(&settings);

    let idle = emulator.invoke("drain", &event("schedule.json"));
    assert_eq!(idle["stoppedBecause"], "empty", "{idle}");
    assert_eq!(idle["billedCommands"], 1, "{idle}");

    let (status, body) = emulator.request(&event("health.json"));
    assert_eq!((status, &body["status"]), (200, &json!("ok")), "{body}");
    let (status, body) = emulator.request(&event("score.json"));
    assert_eq!((status, &body["latestSnapshot"]), (200, &Value::Null), "{body}");
    let (status, body) = emulator.request(&event("recompute.json"));
    assert_eq!(status, 201, "{body}");
    assert_eq!(body, json!({ "projectId": project, "enqueued": true }));

    let tick = emulator.invoke("drain", &event("schedule.json"));
    assert_eq!((&tick["completed"], &tick["failed"]), (&json!(1), &json!(0)), "{tick}");
    let (status, body) = emulator.request(&event("score.json"));
    assert_eq!(status, 200, "{body}");
    assert!(body["latestScore"]["overall"].is_number(), "{body}");
    assert_eq!(body["latestSnapshot"]["projectId"], json!(project), "{body}");

    // At night, from an EventBridge rule: the two that were never scored.
    let night = emulator.invoke("cron", &event("rule.json"));
    assert_eq!(night["enqueued"], 2, "{night}");
    let tick = emulator.invoke("drain", &event("rule.json"));
    assert_eq!((&tick["completed"], &tick["failed"]), (&json!(2), &json!(0)), "{tick}");

    // Woken by its URL: with the token of those who may, and with no other.
    let mut wake = event("function-url.json");
    let refused = emulator.invoke("drain", &wake);
    assert_eq!(refused["statusCode"], 401, "{refused}");
    wake["headers"]["authorization"] = "Bearer lambda-wake".into();
    let woken = emulator.invoke("drain", &wake);
    assert_eq!(woken["statusCode"], 200, "{woken}");
    let report: Value = serde_json::from_str(woken["body"].as_str().unwrap()).unwrap();
    assert_eq!(report["stoppedBecause"], "empty", "{report}");

    let scored = "SELECT count(*) FROM \"Project\" WHERE \"currentDeoScore\" IS NOT NULL";
    let count: i64 = client.query_one(scored, &[]).await.unwrap().get(0);
    assert_eq!(count, 3);
}

/// A recorded request as API Gateway hands it over: several values of a header joined, cookies and stage
/// variables beside them, the body as text or in base64.
fn gateway_event(request: &contract::Request, encoded: bool) -> Value {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut event = event("score.json", "", "");
    let headers = event["headers"].as_object_mut().unwrap();
    headers.remove("authorization");
    headers.insert("x-several".to_owned(), "one,two".into());
    for (name, value) in request.headers() {
        headers.insert(name, value.into());
    }
    event["rawPath"] = path.into();
    event["rawQueryString"] = query.into();
    event["requestContext"]["http"]["method"] = request.method.as_str().into();
    event["requestContext"]["http"]["path"] = path.into();
    event["cookies"] = json!(["theme=dark", "session=1"]);
    event["stageVariables"] = json!({ "stage": "$default", "release": "1" });
    let body = request.body();
    match String::from_utf8(body) {
        Ok(text) if text.is_empty() => {}
        Ok(text) if !encoded => event["body"] = text.into(),
        Ok(text) => {
            (event["body"], event["isBase64Encoded"]) = (STANDARD.encode(text).into(), true.into())
        }
        Err(binary) => {
            let encoded = STANDARD.encode(binary.as_bytes());
            (event["body"], event["isBase64Encoded"]) = (encoded.into(), true.into());
        }
    }
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_clients_contract_holds_behind_api_gateway() {
    let redis = RedisServer::start().await.unwrap();
    let postgres = PostgresServer::start().await.unwrap();
    let gateway = Gateway::start(GatewayConfig::new(redis.url(), "lambda-token")).await.unwrap();
    // With bodies as text, then in base64: each time on a new queue and a new database.
    for encoded in [false, true] {
        let database = postgres.create_database().await.unwrap();
        let settings = [
            ("UPSTASH_REDIS_REST_URL", gateway.url()),
            ("UPSTASH_REDIS_REST_TOKEN", "lambda-token".to_owned()),
            ("REDIS_PREFIX", format!("contract-{encoded}")),
            ("DATABASE_URL", database.clone()),
            ("JWT_SECRET", contract::SECRET.to_owned()),
        ];
        deo(&settings, &["migrate"]);
        let (client, connection) =
            tokio_postgres::connect(&database, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(fixture::PEOPLE).await.unwrap();
        client.batch_execute(contract::ROWS).await.unwrap();
        let emulator = Emulator::start(&settings);
        let pairs = contract::pairs();
        for pair in &pairs {
            let answer = emulator.invoke("api", &gateway_event(&pair.request, encoded));
            let status =
                answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
            let header = |name: &str| answer["headers"][name].as_str().map(str::to_owned);
            pair.check(status.unwrap(), header, answer["body"].as_str().unwrap_or_default());
        }
        println!("{} pairs", pairs.len());
    }
}
