//! Runs BullMQ's own workers and producers beside the drains, each in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use super::world::{PREFIX, QUEUE, World};
use crate::Failure;
use crate::verify::{AcceptedJob, Evidence};

/// Where the interop suites have their programs.
const INTEROP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop");

/// Where they have their environments of Python.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools");

/// How long a peer may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Jobs that a peer adds besides.
const ADDS: usize = 5;

/// Jobs that BullMQ's own code is shown in the end, at most.
const SHOWN: usize = 300;

/// BullMQ in one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// What the platform runs.
    Platform,
    /// The newest of version 5.
    Five,
    /// The newest of version 6.
    Six,
    /// The newest for Python.
    Python,
}

impl Peer {
    /// The versions for Node, by what the suites call them.
    pub(super) const NODE: [(Self, &str); 3] =
        [(Self::Platform, "bullmq-5.65.1"), (Self::Five, "bullmq-5"), (Self::Six, "bullmq-6")];

    fn package(self) -> Option<&'static str> {
        Self::NODE.iter().find(|(peer, _)| *peer == self).map(|(_, package)| *package)
    }

    /// Why it cannot take part here; `None` where it can.
    pub(super) fn is_missing(self) -> Option<String> {
        match self.package() {
            Some(package) => {
                let installed = bullmq().join("node_modules").join(package);
                if on_path("node").is_none() {
                    return Some("there is no `node`; install Node 20 or newer".to_owned());
                }
                let how = "`npm --prefix local/interop/bullmq ci` installs it";
                (!installed.exists()).then(|| format!("{package} is not installed; {how}"))
            }
            None if on_path("psql").is_none() => Some("there is no `psql`".to_owned()),
            None => {
                let how = "`local/interop/peers/run` installs it";
                let missing = format!("BullMQ for Python is not installed; {how}");
                (!python().exists()).then_some(missing)
            }
        }
    }

    /// Starts it: a worker on the run's queue, which adds a few jobs of its own. It meets the same faults
    /// of the network as ours.
    pub(super) fn start(self, world: &World, name: &str) -> Result<Working, Failure> {
        let redis_port = world.redis.port();
        let task = json!({
            "package": self.package(),
            "redis": format!("redis://127.0.0.1:{redis_port}"),
            "database": world.database_url(),
            "prefix": PREFIX,
            "queue": QUEUE,
            "adds": ADDS,
            "name": name,
            "projects": world.plan.projects,
        });
        let mut command = match self {
            Self::Python => {
                let mut command = Command::new(python());
                command.arg(Path::new(INTEROP).join("peers/chaos.py"));
                command
            }
            _ => {
                let mut command = Command::new("node");
                command.arg(bullmq().join("chaos.mjs"));
                command
            }
        };
        command.arg(task.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        // What goes wrong on the way is what the run is about.
        let child = command.stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        Ok(Working { child })
    }
}

/// A peer that works.
#[derive(Debug)]
pub(super) struct Working {
    child: Child,
}

/// What a peer says, one line each.
#[derive(Clone, Debug, Deserialize)]
struct Said {
    id: Option<String>,
    project: Option<String>,
    timestamp: Option<i64>,
    /// Whether it is about to ask, and may be killed before it hears the answer.
    #[serde(default)]
    unanswered: bool,
    /// Whether BullMQ's own code has failed the call, or never came to its end.
    #[serde(default)]
    failed: bool,
}

impl Working {
    /// Lets it work for so long after its first word, notes what it adds, and ends it: at once as the
    /// system does that runs out of memory, or by asking.
    pub(super) async fn for_a_while(
        mut self,
        world: &World,
        time: Duration,
        is_killed: bool,
    ) -> Result<(), Failure> {
        let out = self.child.stdout.take().ok_or("a peer without an output")?;
        let mut lines = BufReader::new(out).lines();
        let id = self.child.id();
        let (mut end, mut is_told, mut is_ready) = (Instant::now() + PATIENCE, false, false);
        let mut asked = None;
        loop {
            match timeout(end.saturating_duration_since(Instant::now()), lines.next_line()).await {
                Ok(Ok(Some(line))) => {
                    if line == "ready" {
                        is_ready = true;
                        end = Instant::now() + time;
                    } else if let Ok(said) = serde_json::from_str::<Said>(&line) {
                        asked = (said.unanswered && !said.failed).then(|| said.clone());
                        note(world, said);
                    }
                }
                // It has ended, and all that it said is read.
                Ok(_) => break,
                Err(_) if is_told || is_killed => {
                    self.child.start_kill()?;
                    // What it has said before is in the pipe.
                    end = Instant::now() + PATIENCE;
                    is_told = true;
                }
                Err(_) => {
                    let id = id.and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
                    let term = rustix::process::Signal::TERM;
                    // An error means that it has just ended.
                    let _ = id.map(|id| rustix::process::kill_process(id, term));
                    (end, is_told) = (Instant::now() + PATIENCE, true);
                }
            }
        }
        let ended = self.child.wait().await?;
        // Killed in the midst of a call, it does not say that a command in BullMQ's script was refused.
        if let Some(said) = asked {
            note(world, Said { failed: true, ..said });
        }
        if is_ready { Ok(()) } else { Err(format!("it was never ready ({ended})").into()) }
    }
}

fn note(world: &World, said: Said) {
    world.journal.accept(AcceptedJob {
        id: said.id,
        project: said.project,
        timestamp: said.timestamp,
        unanswered: said.unanswered,
        failed: said.failed,
        by: Some("peer".to_owned()),
        ..AcceptedJob::default()
    });
}

/// Why BullMQ's own code cannot look at what is left; `None` where it can.
pub(super) fn cannot_judge() -> Option<String> {
    Peer::NODE.iter().find_map(|(peer, _)| peer.is_missing())
}

/// Lets each version for Node read the jobs that were left, retry, remove and clean some. Returns what they said.
pub(super) async fn judge(world: &World, ids: &[String]) -> Result<Vec<Evidence>, Failure> {
    if cannot_judge().is_some() {
        return Ok(Vec::new());
    }
    let port = world.nodes().await.primary.port();
    let task = json!({
        "redis": format!("redis://127.0.0.1:{port}"),
        "prefix": PREFIX,
        "queue": QUEUE,
        "ids": ids.iter().take(SHOWN).collect::<Vec<_>>(),
    });
    let mut command = Command::new("node");
    command.arg(bullmq().join("chaos-left.mjs")).arg(task.to_string());
    let output = timeout(Duration::from_secs(60), command.kill_on_drop(true).output()).await??;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("BullMQ could not be shown what was left: {errors}").into());
    }
    Ok(Evidence::parse(&String::from_utf8_lossy(&output.stdout))?)
}

fn bullmq() -> PathBuf {
    Path::new(INTEROP).join("bullmq")
}

fn python() -> PathBuf {
    Path::new(TOOLS).join("peers-2/bin/python")
}

fn on_path(program: &str) -> Option<PathBuf> {
    crate::servers::tools::on_path(&[program])
}
