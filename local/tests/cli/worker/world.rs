//! What a worker works in, and the process itself.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use fixture::connect;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use shared::config::VARIABLES;
use shared::queue::{Counts, JobOptions, NewJob};
use shared::recompute::{JobData, Reason, recompute_job};
use shared::redis::Command;
use shared::store::ProjectId;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What BullMQ looks for: the prefix and, in base64, `deo_score_queue`.
pub(crate) const NAME: &str = " name=engineo:ZGVvX3Njb3JlX3F1ZXVl ";

/// A Redis of its own, and a database with 300 projects, `p1` to `p300`.
pub(crate) struct World(fixture::World);

impl Deref for World {
    type Target = fixture::World;

    fn deref(&self) -> &fixture::World {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut fixture::World {
        &mut self.0
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let world = fixture::World::builder().own_redis().database("");
        let world = world.set("QUEUE_BATCH_SIZE", "50").start().await;
        world.projects((1..=300).map(|i| format!("p{i}"))).await;
        Self(world)
    }

    pub(crate) fn job(&self, project: u32, delay_ms: u64) -> NewJob {
        let project_id = ProjectId::parse(format!("p{project}")).unwrap();
        let data = JobData::new(project_id, Reason::Manual);
        let job = recompute_job(&data, self.queue.options());
        NewJob { opts: JobOptions { delay_ms, ..job.opts }, ..job }
    }

    pub(crate) async fn add(&self, project: u32, delay_ms: u64) -> String {
        let jobs = [self.job(project, delay_ms)];
        self.queue.enqueue(&jobs).await.unwrap().remove(0).id
    }

    pub(crate) async fn add_all(&self) {
        let jobs: Vec<NewJob> = (1..=300).map(|project| self.job(project, 0)).collect();
        self.queue.enqueue(&jobs).await.unwrap();
    }

    /// Until `enough` of the counts.
    pub(crate) async fn until(&self, enough: impl Fn(Counts) -> bool) {
        let reached = async {
            while !enough(self.counts().await) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(LONG, reached).await.is_err() {
            panic!("still {:?}", self.counts().await);
        }
    }

    /// Milliseconds between when a job could begin and when it did.
    pub(crate) async fn late(&self, id: &str) -> i64 {
        let fields = self.queue.job(id).await.unwrap().unwrap().fields;
        let number = |name: &str| fields[name].parse::<i64>().unwrap();
        let opts: Value = serde_json::from_str(&fields["opts"]).unwrap();
        number("processedOn") - number("timestamp") - opts["delay"].as_i64().unwrap_or(0)
    }

    /// Returns how many snapshots there are, and of how many projects.
    pub(crate) async fn stored(&self) -> (i64, i64) {
        let sql = r#"SELECT count(*), count(DISTINCT "projectId") FROM "DeoScoreSnapshot""#;
        let row = self.database.query_one(sql, &[]).await.unwrap();
        (row.get(0), row.get(1))
    }

    pub(crate) async fn connections(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'deo'";
        self.database.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// The process.
pub(crate) struct Worker {
    pub(crate) process: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    pub(crate) async fn start(world: &World, arguments: &[&str]) -> Self {
        let mut worker = Self::begin(&world.env, arguments);
        let first = worker.line().await;
        assert!(first.starts_with("working"), "{first}");
        worker
    }

    pub(crate) fn begin(env: &BTreeMap<String, String>, arguments: &[&str]) -> Self {
        Self::begin_by(tokio::process::Command::new(env!("CARGO_BIN_EXE_deo")), env, arguments)
    }

    /// One that is started to ignore SIGHUP, as `nohup` does it.
    pub(crate) fn begin_without_hangup(world: &World) -> Self {
        let mut shell = tokio::process::Command::new("sh");
        let script = "trap '' HUP; exec \"$0\" \"$@\"";
        shell.args(["-c", script, env!("CARGO_BIN_EXE_deo")]);
        Self::begin_by(shell, &world.env, &[])
    }

    fn begin_by(
        mut command: tokio::process::Command,
        env: &BTreeMap<String, String>,
        arguments: &[&str],
    ) -> Self {
        for variable in VARIABLES {
            command.env_remove(variable.name);
        }
        command.args(["worker", "--json"]).args(arguments).envs(env).kill_on_drop(true);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What one wrote to stderr until it slept.
    pub(crate) async fn errors_of_one_that_slept(world: &World) -> String {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_deo"));
        command.arg("worker").env_clear().envs(&world.env).kill_on_drop(true);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        asleep(world).await;
        let id = i32::try_from(process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
        let mut errors = String::new();
        let mut stderr = process.stderr.take().unwrap();
        stderr.read_to_string(&mut errors).await.unwrap();
        errors
    }

    pub(crate) async fn line(&mut self) -> String {
        timeout(LONG, self.lines.next_line()).await.unwrap().unwrap().unwrap()
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(LONG, self.process.wait()).await.unwrap().unwrap()
    }
}

/// Until a client blocks on the marker: what the list of clients says of it.
pub(crate) async fn asleep(world: &World) -> String {
    listed(world, |line| line.contains("cmd=bzpopmin") && line.contains("flags=b")).await
}

/// Until the list of clients has such a line.
pub(crate) async fn listed(world: &World, such: impl Fn(&str) -> bool) -> String {
    let found = async {
        loop {
            let list = world.call(Command::new("CLIENT").arg("LIST")).await;
            if let Some(line) = list.as_str().unwrap().lines().find(|line| such(line)) {
                return line.to_owned();
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, found).await.expect("such a client")
}

/// A worker with batches of 50 under way, as many as it has lanes or fewer, and who holds them up: to be
/// told `ROLLBACK`.
pub(crate) async fn halfway(world: &World) -> (Worker, Client) {
    halfway_of(world, || Worker::begin(&world.env, &[])).await
}

/// As [`halfway`], with the worker that `begin` begins.
pub(crate) async fn halfway_of(world: &World, begin: impl FnOnce() -> Worker) -> (Worker, Client) {
    world.add_all().await;
    let blocker = connect(&world.env["DATABASE_URL"]).await;
    blocker.batch_execute(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot""#).await.unwrap();
    let worker = begin();
    world.until(|counts| counts.active >= 50).await;
    (worker, blocker)
}

/// How often Redis has executed each command.
pub(crate) async fn executed(world: &World) -> BTreeMap<String, u64> {
    let info = world.queue.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
    let calls = info.as_str().unwrap().lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    });
    calls.collect()
}
