//! `deo bench rest`: what a call costs over each way to Redis, beside Upstash's own SDK.

mod figures;
mod ours;
mod sdk;
mod shape;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::commands::signals::Signals;
use crate::commands::{Failure, Outcome};
use crate::terminal::{Step, heading, say};

use figures::{Figures, Line, Verdict};
use shape::Shape;
use world::World;

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

/// A way to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Tcp,
    Rest,
    Sdk,
    /// The SDK as it is without options: calls made at once share a request.
    SdkAuto,
}

/// How much one way sends of one shape in one round.
#[derive(Clone, Copy, Debug)]
struct Load {
    shape: Shape,
    time: Duration,
    at_once: u32,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let lines = tokio::select! {
        lines = measure(&args) => lines?,
        () = signals.next() => return Err("interrupted".into()),
    };
    let verdicts = figures::verdicts(&lines);
    if args.json {
        say(serde_json::to_string(&Figures { lines, verdicts: verdicts.clone() })?)?;
    } else {
        heading("Calls, medians of the rounds")?;
        say(figures::table(&lines).to_string())?;
        heading("Beside the SDK")?;
        for verdict in &verdicts {
            say(verdict.line())?;
        }
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build, which is held to no bar: cargo run --release -p local");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if verdicts.iter().all(Verdict::kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(args: &Args) -> Result<Vec<Line>, Failure> {
    let step = Step::begin("starting Redis, the gateway and Node", !args.json);
    let mut world = World::start(&args.sdk).await?;
    step.done("Redis, the gateway and Node are there")?;
    let mut lines: Vec<Line> = Shape::ALL.into_iter().flat_map(ways).collect();
    for round in 0..=args.rounds {
        let first = round as usize % lines.len();
        let step = Step::begin(format!("round {round} of {}", args.rounds), !args.json);
        for turn in 0..lines.len() {
            // Another one begins each round.
            let index = (first + turn) % lines.len();
            let line = &mut lines[index];
            let time = Duration::from_millis(args.millis);
            let load = Load { shape: line.shape, time, at_once: args.at_once };
            let sample = world.run(line.way, load).await?;
            if round > 0 {
                line.samples.push(sample);
            }
        }
        step.done(if round == 0 { "warm".to_owned() } else { format!("round {round}") })?;
    }
    world.stop().await;
    Ok(lines)
}

/// The ways that a shape goes, side by side.
fn ways(shape: Shape) -> impl Iterator<Item = Line> {
    let auto = (shape == Shape::Single).then_some(Way::SdkAuto);
    let ways = [Way::Tcp, Way::Rest, Way::Sdk].into_iter().chain(auto);
    ways.map(move |way| Line { shape, way, samples: Vec::new() })
}
