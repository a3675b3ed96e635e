//! A developer's day: a running system that other terminals find, settings from a file, colours, completions and
//! manual pages, and what is said while Redis is away.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use gateway::{Gateway, GatewayConfig};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use servers::RedisServer;
use shared::clock::Clock;
use shared::config::Secret;
use shared::queue::{Backoff, JobOptions, NewJob, Queue, QueueOptions};
use shared::redis::{Endpoint, Redis};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::process::{deo, eventually, is_empty, json, open_folder, run};

/// A `deo up` that talks to a person, and terminals beside it that share the user's folder for what runs.
struct Day {
    child: Child,
    folder: TempDir,
    /// `XDG_RUNTIME_DIR`.
    user: TempDir,
}

impl Day {
    fn start() -> Self {
        Self::start_with(|up| up)
    }

    /// As [`Day::start`], with what `settings` adds to the command.
    fn start_with(settings: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let (folder, user) = (open_folder(), tempfile::tempdir().unwrap());
        let log = |name: &str| File::create(user.path().join(name)).unwrap();
        let mut up = deo(folder.path());
        up.args(["up", "--no-board", "--every", "1s", "--listen", "127.0.0.1:0"]);
        up.args(["--rest-listen", "127.0.0.1:0"]).env("XDG_RUNTIME_DIR", user.path());
        up.env("XDG_STATE_HOME", user.path().join("state"));
        let child = settings(&mut up).stdout(log("out")).stderr(log("err")).spawn().unwrap();
        let day = Self { child, folder, user };
        day.says("Ctrl-C stops everything");
        day
    }

    /// `deo` in another terminal, with none of the settings.
    fn deo(&self, arguments: &[&str]) -> Command {
        let mut command = deo(self.folder.path());
        command.args(arguments).env("XDG_RUNTIME_DIR", self.user.path());
        command
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.user.path().join(name)).unwrap()
    }

    fn says(&self, what: &str) {
        eventually(what, || self.log("out").contains(what));
    }

    /// What a shell has after `eval "$(deo up --env)"`.
    fn exports(&self) -> BTreeMap<String, String> {
        let script = "eval \"$(\"$0\" up --env)\" && env";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_deo")]).env_clear();
        let output = shell.env("XDG_RUNTIME_DIR", self.user.path()).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Drop for Day {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn other_terminals_find_the_running_system_and_nothing_of_it_is_mixed_in() {
    let mut day = Day::start();
    let file = day.user.path().join("deo/up.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // A command without settings works on it, and says so.
    let enqueued = day.deo(&["enqueue", "--json", "--project", "nosuch"]).output().unwrap();
    assert!(errors(&enqueued).contains("Using the deo up that runs here"), "{}", errors(&enqueued));
    assert_eq!(json(&enqueued)["enqueued"], 1);
    day.says("  failed: job 1 of project nosuch: ");

    // Its ports are the same each time, or it says why not. So are its credentials, which are this user's.
    let exports = day.exports();
    let file = day.user.path().join("state/deo/credentials.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let kept = |name: &str| kept[name].as_str().unwrap();
    let (redis, postgres) = (kept("redisPassword"), kept("postgresPassword"));
    for (name, port, url) in [
        ("REDIS_URL", 16379, format!("redis://default:{redis}@127.0.0.1:16379")),
        ("DATABASE_URL", 15432, format!("postgres://postgres:{postgres}@127.0.0.1:15432/postgres")),
    ] {
        let is_taken = day.log("err").contains(&format!("Port {port} is taken"));
        assert!(exports[name] == url || is_taken, "{}: {}", exports[name], day.log("err"));
        assert!(exports[name].contains(&url[..url.find('@').unwrap()]), "{}", exports[name]);
    }
    assert_eq!(exports["UPSTASH_REDIS_REST_TOKEN"], kept("restToken"));
    assert_eq!(exports["JWT_SECRET"], kept("jwtSecret"));
    // Redis takes nobody without it.
    let open = format!("redis://{}", exports["REDIS_URL"].split('@').nth(1).unwrap());
    let mut stats = day.deo(&["queue", "stats"]);
    let refused = stats.env("REDIS_URL", open).env("DATABASE_URL", &exports["DATABASE_URL"]);
    let refused = refused.output().unwrap();
    assert!(errors(&refused).contains("NOAUTH"), "{}", errors(&refused));

    // An administrator sees the queue, a user does not; the terminal shows who asked for what.
    shared::tls::install_provider();
    let http = reqwest::Client::new();
    for (token, status) in [("DEO_ADMIN_TOKEN", 200), ("DEO_TOKEN", 403)] {
        let asked = http.get(format!("{}/queue", exports["DEO_API_URL"]));
        let answer = asked.bearer_auth(&exports[token]).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{token}");
        day.says(&format!("api: GET /queue {status} in "));
    }

    for arguments in [&["doctor"][..], &["shadow"]] {
        let said = errors(&day.deo(arguments).output().unwrap());
        assert!(said.starts_with("Using the deo up that runs here"), "{arguments:?}: {said}");
    }

    // Who names a part of another system gets no part of this one.
    let stage = "postgres://app:canary@db.example/app";
    let drained = day.deo(&["drain"]).env("DATABASE_URL", stage).output().unwrap();
    assert_eq!(drained.status.code(), Some(1));
    assert!(!errors(&drained).contains("Using"), "{}", errors(&drained));
    // A prefix of one's own stays.
    let elsewhere = day.deo(&["queue", "stats", "--json"]).env("REDIS_PREFIX", "mine").output();
    assert_eq!(json(&elsewhere.unwrap())["counts"]["failed"], 0);
    assert_eq!(
        json(&day.deo(&["queue", "stats", "--json"]).output().unwrap())["counts"]["failed"],
        1
    );

    // What it left when it was killed is not heeded.
    kill_process(Pid::from_child(&day.child), Signal::KILL).unwrap();
    day.child.wait().unwrap();
    assert!(file.exists());
    let stats = day.deo(&["queue", "stats"]).output().unwrap();
    assert_eq!(stats.status.code(), Some(1));
    assert!(!errors(&stats).contains("Using"), "{}", errors(&stats));
    let env = day.deo(&["up", "--env"]).output().unwrap();
    assert!(errors(&env).starts_with("deo: no deo up runs here"), "{}", errors(&env));
    assert!(env.stdout.is_empty());
}

#[test]
fn what_was_given_is_neither_written_down_nor_printed_and_no_token_is_signed_with_it() {
    for arguments in [&["--json"][..], &[]] {
        let (folder, user) = (open_folder(), tempfile::tempdir().unwrap());
        let mut up = deo(folder.path());
        up.args(["up", "--no-board", "--listen", "127.0.0.1:0", "--rest-listen", "127.0.0.1:0"]);
        up.args(arguments).env("XDG_RUNTIME_DIR", user.path());
        up.env("UPSTASH_REDIS_REST_TOKEN", "canary").env("JWT_SECRET", "canary-too");
        let (reader, writer) = std::io::pipe().unwrap();
        let mut child = up.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        drop(up);
        let mut said = String::new();
        let mut lines = BufReader::new(reader);
        while !said.contains("Ctrl-C stops everything") && !said.contains("\"apiUrl\"") {
            assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
        }
        assert!(is_empty(user.path()));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        lines.read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        // A token of the API's begins like this.
        assert!(!said.contains("canary") && !said.contains("eyJ"), "{said}");
    }
}

#[tokio::test]
async fn why_a_tick_s_jobs_failed_is_told_of_every_queue_and_of_no_earlier_tick() {
    // It fails each job.
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jobs", receiver.local_addr().unwrap());
    let fails = Router::new().fallback(async || StatusCode::INTERNAL_SERVER_ERROR);
    tokio::spawn(async move { axum::serve(receiver, fails).await });
    let redis = RedisServer::start().await.unwrap();
    let queues = format!("deo_score_queue,crawl={url}");
    let day = Day::start_with(|up| {
        up.env("QUEUES", queues).env("REDIS_URL", redis.url());
        up.env("QUEUE_HTTP_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    });
    let options = QueueOptions { prefix: "engineo".to_owned(), ..QueueOptions::new("crawl") };
    let endpoint = Endpoint::Tcp { url: Secret::new(redis.url()), allow_plaintext: false };
    let crawl = Queue::new(Redis::new(&endpoint).unwrap(), &options, Clock::System);
    let add = async || {
        let backoff = Some(Backoff::Fixed { delay_ms: 3_600_000, jitter: None });
        let opts = JobOptions { attempts: 2, backoff, ..JobOptions::default() };
        let jobs = [NewJob::new("crawl", "{}").options(opts)];
        crawl.enqueue(&jobs).await.unwrap().remove(0).id
    };
    let told = |id: &str| day.log("out").matches(&format!("to be tried again: job {id}")).count();
    let first = add().await;
    let why = format!("  to be tried again: job {first}: ");
    day.says(&why);
    let second = add().await;
    day.says(&format!("  to be tried again: job {second}: "));
    assert_eq!((told(&first), told(&second)), (1, 1), "{}", day.log("out"));
}

#[test]
fn a_stage_s_server_is_not_paired_with_a_private_one() {
    let folder = open_folder();
    let stage = "postgres://app:canary@db.example/app";
    for arguments in [&["up"][..], &["with-servers", "--", "true"]] {
        let output =
            deo(folder.path()).args(arguments).env("DATABASE_URL", stage).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = errors(&output);
        assert!(said.starts_with("deo: DATABASE_URL leads to another machine"), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn redis_away_is_one_line_while_waiting_and_one_with_what_to_do() {
    let folder = open_folder();
    let stats = |stderr: Stdio| {
        let mut command = deo(folder.path());
        command.args(["queue", "stats"]).env("REDIS_URL", "redis://127.0.0.1:1");
        command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap()
    };
    // The second one's stderr has no reader.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (heard, unheard) = (stats(Stdio::piped()), stats(writer.into()));
    let began = Instant::now();
    let output = heard.wait_with_output().unwrap();
    let said = errors(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    let waits = "cannot connect to 127.0.0.1:1: Connection refused (os error 111); trying again for some seconds ...";
    assert!(lines[0].starts_with("Redis: ") && lines[0].ends_with(waits), "{said}");
    let remedy = "cannot connect to 127.0.0.1:1: Connection refused (os error 111). Is it running, and does REDIS_URL lead \
                  to it?";
    assert!(lines[1].starts_with("deo: ") && lines[1].ends_with(remedy), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(unheard.wait_with_output().unwrap().status.code(), Some(1), "no panic");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_while_waiting_tells_what_kept_redis_from_answering() {
    let redis = RedisServer::start().await.unwrap();
    for (fault, told) in [
        ("429", "the server answered HTTP 429"),
        ("503html", "the server answered HTTP 503; it may have been executed"),
    ] {
        let faults = format!("{fault}=1").parse().unwrap();
        let config = GatewayConfig { faults, ..GatewayConfig::new(redis.url(), "canary") };
        let gateway = Gateway::start(config).await.unwrap();
        let folder = open_folder();
        let mut stats = deo(folder.path());
        stats.args(["queue", "stats"]).env("UPSTASH_REDIS_REST_URL", gateway.url());
        let output = stats.env("UPSTASH_REDIS_REST_TOKEN", "canary").output().unwrap();
        let said = errors(&output);
        let first = said.lines().next().unwrap_or_default();
        let waits = format!("{told}; trying again for some seconds ...");
        assert!(first.starts_with("Redis: ") && first.ends_with(&waits), "{said}");
        assert_eq!(said.matches("trying again").count(), 1, "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}

#[test]
fn settings_are_read_from_a_file_when_asked_and_the_environment_goes_before_it() {
    let folder = open_folder();
    let file = folder.path().join("env");
    fs::write(&file, "# of a stage\nREDIS_PREFIX='of_the_file'\nQUEUE_ATTEMPTS=7\n").unwrap();
    let config = |prefix: &str| -> Value {
        let mut command = deo(folder.path());
        command.arg("--env-file").arg(&file).args(["config", "--json"]).env("REDIS_PREFIX", prefix);
        json(&command.output().unwrap())
    };
    let (file_s, ours) = (config(""), config("ours"));
    assert_eq!(file_s["REDIS_PREFIX"], "of_the_file");
    assert_eq!(
        (&ours["REDIS_PREFIX"], &ours["QUEUE_ATTEMPTS"]),
        (&"ours".into(), &file_s["QUEUE_ATTEMPTS"])
    );
    assert!(file_s["QUEUE_ATTEMPTS"].to_string().contains('7'), "{file_s}");
    fs::write(&file, "REDIS_URL=redis://127.0.0.1:1\nDATABASE_URL=postgres://f/canary\n").unwrap();
    let mut mixed = deo(folder.path());
    mixed.arg("--env-file").arg(&file).arg("config").env("DATABASE_URL", "postgres://e/canary");
    let mixed = mixed.output().unwrap();
    assert_eq!(mixed.status.code(), Some(1));
    let said = errors(&mixed);
    assert!(said.contains("servers of two systems are not mixed"), "{said}");
    assert!(!said.contains("canary") && mixed.stdout.is_empty(), "{said}");
    let missing = run(&["--env-file", "/nowhere/env", "config"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(errors(&missing).starts_with("deo: --env-file /nowhere/env: there is no such file"));
}

#[test]
fn colours_are_as_asked() {
    let has_colours = |arguments: &[&str]| {
        let output = run(arguments);
        output.stdout.contains(&0x1b) || output.stderr.contains(&0x1b)
    };
    for arguments in [&["--help"][..], &["up", "--help"], &["no-such-command"]] {
        assert!(has_colours(&[&["--color", "always"], arguments].concat()), "{arguments:?}");
        assert!(!has_colours(&[&["--color", "never"], arguments].concat()), "{arguments:?}");
        assert!(!has_colours(arguments), "{arguments:?}: no terminal is here");
    }
}

#[test]
fn shells_complete_and_man_shows_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        let text = String::from_utf8(script.stdout).unwrap();
        assert!(script.status.success() && text.contains("with-servers"), "{shell}");
    }
    let folder = open_folder();
    let script = folder.path().join("deo.bash");
    fs::write(&script, run(&["completions", "bash"]).stdout).unwrap();
    let read = Command::new("bash").arg("-n").arg(&script).output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{}", errors(&read));
    let written = deo(folder.path()).args(["man", "--folder"]).arg(folder.path()).output().unwrap();
    assert!(written.status.success(), "{}", errors(&written));
    let page = |name: &str| fs::read_to_string(Path::new(folder.path()).join(name)).unwrap();
    for name in ["deo.1", "deo-up.1", "deo-queue-stats.1", "deo-queue-schedule-upsert.1"] {
        assert!(page(name).contains(".TH"), "{name}");
    }
    assert!(page("deo-up.1").contains("Examples"));
}
