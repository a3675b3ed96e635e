//! `deo bench rest`: what a call costs over each way to Redis, beside Upstash's own SDK.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use command::Signals;

use crate::Outcome;
use crate::bench::rest::{Figures, Options, Verdict, measure, table, verdicts};
use crate::terminal::{heading, note, say};

/// Measure calls over TCP, over REST and with Upstash's own SDK
///
/// One command, a pipeline and a script as large as the queue's, each over TCP, over the REST gateway
/// by our client, and by @upstash/redis through the same gateway, which runs in a process of its own.
/// The ways take turns, so that all see the same machine; the first round warms up and does not count.
/// Needs Node and `npm ci` in the SDK's folder. Exits with 1 when our client answers less than three
/// times as many requests per second of its CPU as the SDK does; a debug build is not held to that.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rounds that count.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,

    /// How long each way sends each kind of call in a round: milliseconds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    millis: u64,

    /// Requests under way at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    at_once: u32,

    /// The folder with the SDK, installed.
    #[arg(long, value_name = "FOLDER", default_value = "local/interop/upstash")]
    sdk: PathBuf,

    /// Print the figures as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let Args { rounds, millis, at_once, sdk, json } = args;
    let time = Duration::from_millis(millis);
    let options = Options { rounds, time, at_once, sdk, told: !json };
    let lines = tokio::select! {
        lines = measure(&options) => lines?,
        stopped = signals.next() => return Err(stopped.into()),
    };
    let verdicts = verdicts(&lines);
    if json {
        say(serde_json::to_string(&Figures { lines, verdicts: verdicts.clone() })?)?;
    } else {
        heading("Calls, medians of the rounds")?;
        say(table(&lines).to_string())?;
        heading("Beside the SDK")?;
        for verdict in &verdicts {
            say(verdict.line())?;
        }
    }
    if cfg!(debug_assertions) {
        note("this is a debug build, which is held to no bar: cargo run --release -p local");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if verdicts.iter().all(Verdict::kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
