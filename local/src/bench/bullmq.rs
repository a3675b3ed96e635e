//! BullMQ's side: its newest version does the same work on a Redis of its own, in Node.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use crate::Failure;
use crate::servers::RedisServer;

/// Commands that BullMQ's scripts execute, and calls of its client beside them.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Calls {
    pub(super) inner: f64,
    pub(super) client: f64,
}

/// A job's, by kind of job.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Busy {
    pub(super) keep: Calls,
    pub(super) remove: Calls,
    #[serde(rename = "byApi")]
    pub(super) by_api: Calls,
    #[serde(rename = "byCron")]
    pub(super) by_cron: Calls,
    pub(super) lone: Calls,
    pub(super) drained: Calls,
}

/// All that is measured of it.
pub(super) struct Theirs {
    pub(super) version: String,
    pub(super) busy: Busy,
    /// A minute.
    pub(super) idle: Calls,
}

/// Where the suites are that hold BullMQ, each version under its own name.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/bullmq")
}

/// Why BullMQ cannot run here; nothing when it can. Installs it where npm can.
pub(super) async fn missing() -> Option<String> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status().await;
    if !node.is_ok_and(|status| status.success()) {
        return Some("there is no Node here".to_owned());
    }
    let folder = folder();
    if folder.join("node_modules/bullmq-6").is_dir() {
        return None;
    }
    let mut npm = Command::new("npm");
    let installed = npm.args(["ci", "--silent"]).current_dir(&folder).status().await;
    (!installed.is_ok_and(|status| status.success()))
        .then(|| "npm cannot install BullMQ (`npm ci` in local/interop/bullmq)".to_owned())
}

/// Lets it work through `jobs` jobs of each kind, and idle for `idle_s` seconds meanwhile.
pub(super) async fn measure(
    jobs: u32,
    keep: &serde_json::Value,
    idle_s: u32,
) -> Result<Theirs, Failure> {
    let (busy, idle) = tokio::try_join!(RedisServer::start(), RedisServer::start())?;
    let asked = serde_json::json!({"jobs": jobs, "keep": keep}).to_string();
    let (busy_url, idle_url, idle_s) = (busy.url(), idle.url(), idle_s.to_string());
    let (asked, watched) = (["busy", &busy_url, &asked], ["idle", &idle_url, &idle_s]);
    let (busy, idle) = tokio::try_join!(node::<Busy>(&asked), node::<Calls>(&watched))?;
    let version = node(&["version"]).await?;
    Ok(Theirs { version, busy, idle })
}

async fn node<T: for<'a> Deserialize<'a>>(arguments: &[&str]) -> Result<T, Failure> {
    let output = Command::new("node")
        .arg("cost.mjs")
        .args(arguments)
        .current_dir(folder())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("local/interop/bullmq/cost.mjs ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
