//! Upstash's SDK under load, in a Node of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Load;
use super::figures::Sample;
use super::shape::Material;
use crate::Failure;

/// Node with `bench.mjs`: a line of JSON in, one out.
#[derive(Debug)]
pub(super) struct Sdk {
    // Killed when dropped.
    _node: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What it measured.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    latencies_us: Vec<u64>,
    elapsed_us: u64,
    cpu_us: u64,
}

impl Sdk {
    pub(super) async fn start(
        folder: &Path,
        url: &str,
        token: &str,
        material: &Material,
    ) -> Result<Self, Failure> {
        if !folder.join("node_modules/@upstash/redis").is_dir() {
            let folder = folder.display();
            return Err(format!("@upstash/redis is not installed: run `npm ci` in {folder}").into());
        }
        let mut node = Command::new("node")
            .arg("bench.mjs")
            .current_dir(folder)
            .env("UPSTASH_REDIS_REST_URL", url)
            .env("UPSTASH_REDIS_REST_TOKEN", token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("starting node: {error}"))?;
        let ask = node.stdin.take().ok_or("node has no stdin")?;
        let answers = BufReader::new(node.stdout.take().ok_or("node has no stdout")?).lines();
        let mut sdk = Self { _node: node, ask, answers };
        sdk.tell(&serde_json::to_string(material)?).await?;
        Ok(sdk)
    }

    /// Sends until the time is up; `auto` lets calls made at once share a request.
    pub(super) async fn run(&mut self, load: Load, auto: bool) -> Result<Sample, Failure> {
        let line = serde_json::json!({
            "shape": load.shape,
            "millis": load.time.as_millis(),
            "atOnce": load.at_once,
            "auto": auto,
        });
        self.tell(&line.to_string()).await?;
        let answer = self.answers.next_line().await?.ok_or("node ended; its words are above")?;
        let measured: Measured = serde_json::from_str(&answer)?;
        let latencies = measured.latencies_us.into_iter().map(Duration::from_micros).collect();
        let (elapsed, cpu) = (measured.elapsed_us, measured.cpu_us);
        Ok(Sample::of(latencies, Duration::from_micros(elapsed), Duration::from_micros(cpu)))
    }

    async fn tell(&mut self, line: &str) -> Result<(), Failure> {
        self.ask.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(self.ask.flush().await?)
    }
}
