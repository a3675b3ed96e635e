//! Who is measured, each in a process of its own that is told what to do, says when it is ready, works once
//! it is told to go, and says what that took.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::LONGEST;
use super::plan::Workload;
use crate::Failure;

/// One that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// Our drain over TCP.
    OursTcp,
    /// Our drain over the REST gateway.
    OursRest,
    /// BullMQ with the six statements by pg, a job at a time.
    #[value(name = "pg-1")]
    #[serde(rename = "pg-1")]
    Pg1,
    /// Fifty jobs at a time.
    #[value(name = "pg-50")]
    #[serde(rename = "pg-50")]
    Pg50,
    /// BullMQ with the six statements by Prisma, a job at a time.
    #[value(name = "prisma-1")]
    #[serde(rename = "prisma-1")]
    Prisma1,
    /// Fifty jobs at a time.
    #[value(name = "prisma-50")]
    #[serde(rename = "prisma-50")]
    Prisma50,
    /// Redis alone: our batches, and nothing to do.
    FloorRedis,
    /// Postgres alone: our statements on two connections.
    FloorPostgres,
    /// BullMQ with nothing to do, a job at a time.
    #[value(name = "bullmq-1")]
    #[serde(rename = "bullmq-1")]
    Bullmq1,
    /// Fifty jobs at a time.
    #[value(name = "bullmq-50")]
    #[serde(rename = "bullmq-50")]
    Bullmq50,
    /// BullMQ's `add`, one after the other.
    Add,
    /// BullMQ's `addBulk`, a thousand at a time.
    AddBulk,
}

impl Subject {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        <Self as clap::ValueEnum>::value_variants().iter().copied()
    }

    pub(crate) fn is_rival(self) -> bool {
        !matches!(self, Self::OursTcp | Self::OursRest | Self::FloorRedis | Self::FloorPostgres)
    }

    /// Whether it reads and writes Postgres.
    fn recomputes(self) -> bool {
        matches!(self, Self::Pg1 | Self::Pg50 | Self::Prisma1 | Self::Prisma50)
    }

    /// Whether it has a part in a workload.
    pub(crate) fn does(self, workload: Workload) -> bool {
        let ours = matches!(self, Self::OursTcp | Self::OursRest);
        match workload {
            Workload::Shops | Workload::Tiny => {
                ours || self.recomputes() || matches!(self, Self::FloorRedis | Self::FloorPostgres)
            }
            Workload::Huge => {
                ours || matches!(self, Self::Pg1 | Self::Prisma1 | Self::FloorPostgres)
            }
            Workload::Plain | Workload::Noop => {
                ours || matches!(self, Self::Bullmq1 | Self::Bullmq50)
            }
            Workload::Enqueue => ours || matches!(self, Self::Add | Self::AddBulk),
            Workload::Backlog | Workload::Drains => self == Self::OursTcp,
        }
    }

    /// It does so many times fewer jobs than others: its rate is known after less.
    pub(crate) fn share(self, workload: Workload, round_trip: Duration) -> u32 {
        let far = match round_trip.as_millis() {
            0 => 1,
            1..10 => 2,
            _ => 10,
        };
        let slow = match self {
            Self::Pg1 => 4 * far,
            Self::Prisma1 => 8 * far,
            Self::Pg50 => far.min(2),
            Self::Prisma50 => 2 * far.min(2),
            Self::Bullmq1 | Self::Bullmq50 | Self::Add => 4,
            _ => 1,
        };
        slow * if workload == Workload::Tiny && self.is_rival() { 10 } else { 1 }
    }

    /// Statements with which its connections are opened before it is ready.
    pub(crate) fn warming_statements(self) -> u64 {
        if self.recomputes() { self.role().1.into() } else { 0 }
    }

    /// What Node is told to be, and how many jobs at a time.
    fn role(self) -> (&'static str, u32) {
        match self {
            Self::Pg1 => ("pg", 1),
            Self::Pg50 => ("pg", 50),
            Self::Prisma1 => ("prisma", 1),
            Self::Prisma50 => ("prisma", 50),
            Self::Bullmq1 => ("noop", 1),
            Self::Bullmq50 => ("noop", 50),
            Self::Add => ("add", 1),
            _ => ("addBulk", 1),
        }
    }

    /// Its name in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OursTcp => "ours, TCP",
            Self::OursRest => "ours, REST",
            Self::Pg1 => "BullMQ, pg, 1 at a time",
            Self::Pg50 => "BullMQ, pg, 50 at a time",
            Self::Prisma1 => "BullMQ, Prisma, 1 at a time",
            Self::Prisma50 => "BullMQ, Prisma, 50 at a time",
            Self::FloorRedis => "Redis alone",
            Self::FloorPostgres => "Postgres alone",
            Self::Bullmq1 => "BullMQ, 1 at a time",
            Self::Bullmq50 => "BullMQ, 50 at a time",
            Self::Add => "BullMQ's add",
            Self::AddBulk => "BullMQ's addBulk",
        }
    }
}

/// What a subject says it did. Times are its own.
#[derive(Clone, Copy, Debug, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Done {
    pub(crate) jobs: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    /// The most memory it ever had, where the system tells.
    pub(crate) peak_kb: Option<u64>,
}

impl Done {
    /// What several that began at once have done.
    pub(crate) fn together(all: &[Self]) -> Self {
        Self {
            jobs: all.iter().map(|it| it.jobs).sum(),
            seconds: all.iter().map(|it| it.seconds).fold(0.0, f64::max),
            cpu_seconds: all.iter().map(|it| it.cpu_seconds).sum(),
            peak_kb: all.iter().filter_map(|it| it.peak_kb).max(),
        }
    }
}

/// Where a rival works, and on what.
pub(crate) struct Errand<'a> {
    pub(crate) redis: &'a str,
    pub(crate) database: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) jobs: u32,
    pub(crate) options: serde_json::Value,
}

/// A subject's process. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts one of our kind, with these settings and no others, and waits until it is ready.
    pub(crate) async fn ours(
        task: &str,
        settings: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "jobs", "--child", task]).env_clear().envs(settings);
        Self::start(command).await
    }

    /// Starts a rival in Node, and waits until it is ready.
    pub(crate) async fn rival(
        subject: Subject,
        folder: &Path,
        errand: Errand<'_>,
    ) -> Result<Self, Failure> {
        Self::node(subject.role(), folder, errand).await
    }

    /// Starts BullMQ's producer beside a worker by pg, which waits for jobs, a job at a time.
    pub(crate) async fn waiting_rival(folder: &Path, errand: Errand<'_>) -> Result<Self, Failure> {
        Self::node(("wait", 1), folder, errand).await
    }

    async fn node(
        (role, concurrency): (&str, u32),
        folder: &Path,
        errand: Errand<'_>,
    ) -> Result<Self, Failure> {
        let Errand { redis, database, prefix, jobs, options } = errand;
        let told = serde_json::json!({"role": role, "redis": redis, "database": database,
            "prefix": prefix, "jobs": jobs, "concurrency": concurrency, "opts": options});
        let mut command = Command::new("node");
        command.args(["rival.mjs", &told.to_string()]).current_dir(folder);
        command.env("NODE_ENV", "production");
        Self::start(command).await
    }

    async fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("starting {:?}: {error}", command.as_std().get_program()))?;
        let ask = child.stdin.take().ok_or("a subject has no stdin")?;
        let answers = BufReader::new(child.stdout.take().ok_or("a subject has no stdout")?).lines();
        let mut process = Self { child, ask, answers };
        match process.line().await?.as_str() {
            "ready" => Ok(process),
            other => Err(format!("a subject said {other:?} instead of being ready").into()),
        }
    }

    /// Lets it work to its end.
    pub(crate) async fn go(mut self) -> Result<Done, Failure> {
        self.ask.write_all(b"go\n").await?;
        self.ask.flush().await?;
        let done = serde_json::from_str(&self.line().await?)?;
        // Its connections are gone with it, and the servers have counted all that it did.
        self.child.wait().await?;
        Ok(done)
    }

    /// Tells it something, and returns what it answers.
    pub(crate) async fn tell(&mut self, what: &str) -> Result<String, Failure> {
        self.ask.write_all(format!("{what}\n").as_bytes()).await?;
        self.ask.flush().await?;
        self.line().await
    }

    async fn line(&mut self) -> Result<String, Failure> {
        let line = timeout(LONGEST, self.answers.next_line()).await;
        let line = line.map_err(|_| format!("a subject took more than {} s", LONGEST.as_secs()))?;
        Ok(line?.ok_or("a subject ended early; its words are above")?)
    }
}

/// Why the rivals cannot run here; nothing when they can. Installs them where npm can.
pub(crate) async fn missing(folder: &Path) -> Option<String> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status().await;
    if !node.is_ok_and(|status| status.success()) {
        return Some("the rivals, for there is no Node here".to_owned());
    }
    let npm = async |arguments: &[&str]| {
        let mut npm = Command::new("npm");
        npm.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        npm.status().await.is_ok_and(|status| status.success())
    };
    let place = folder.display();
    // Without the packages' own scripts, which would download a compiler of migrations.
    if !folder.join("node_modules/bullmq").is_dir() && !npm(&["ci", "--ignore-scripts"]).await {
        return Some(format!("the rivals, which npm cannot install (`npm ci` in {place})"));
    }
    if !folder.join("node_modules/.prisma/client").is_dir() && !npm(&["run", "generate"]).await {
        return Some(format!(
            "the rivals: Prisma's client cannot be made (`npm run generate` in {place})"
        ));
    }
    None
}
