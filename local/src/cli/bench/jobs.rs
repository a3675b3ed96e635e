//! `deo bench jobs`: jobs a second and what they cost.

use std::path::PathBuf;
use std::process::ExitCode;

use command::Signals;

use super::RIVALS;
use crate::Outcome;
use crate::bench::jobs::{Request, Subject, Workload, bars_table, child, measure, page};
use crate::terminal::{heading, note, say};

/// Measure jobs a second and what they cost, beside BullMQ and the servers alone
///
/// Each subject works in a process of its own: our drain over TCP and over the REST gateway, BullMQ with
/// the platform's six statements a job by pg and by Prisma, and for the floor Redis and Postgres alone
/// with our batches. They take turns, each begins with a fresh queue of the same jobs, and medians are
/// shown. A round trip above 0 goes through a relay that is so far away, handshakes included.
///
/// Everything takes an hour or two; `--projects 400 --runs 1` some minutes, and `--only` and `--workload`
/// choose. What the functions run is a release build: cargo run --release -p local -- bench jobs. A debug
/// build is held to no bar. The rivals need Node and npm, which installs them the first time; without
/// them they are left out.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Projects of the workload `shops`, with 30 pages and 20 products each; the others follow it.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(20..=50_000))]
    projects: u32,

    /// Turns of each subject.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,

    /// Batches at once (DRAIN_LANES), of ours and of the servers alone.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    lanes: u8,

    /// Which work; all of it by default.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<Workload>,

    /// Whose; everybody's by default.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Subject>,

    /// Milliseconds to both servers and back, for the workload `shops`.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 2, 20])]
    round_trip: Vec<u64>,

    /// Jobs that wait at most in the workload `backlog`.
    #[arg(long, default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1_000..=4_000_000))]
    backlog: u32,

    /// The folder with the rivals.
    #[arg(long, value_name = "FOLDER", default_value = RIVALS)]
    rivals: PathBuf,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,

    /// Also write a page with plots, which needs nothing beside itself.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// What a subject's process is told: for `deo` itself.
    #[arg(long, hide = true)]
    child: Option<String>,
}

pub(super) async fn run(args: Args) -> Outcome {
    if let Some(task) = args.child {
        return child(&task).await;
    }
    let mut signals = Signals::new()?;
    let request = Request {
        projects: args.projects,
        runs: args.runs,
        lanes: args.lanes.into(),
        workload: args.workload,
        only: args.only,
        round_trip: args.round_trip,
        backlog: args.backlog,
        rivals: args.rivals,
    };
    let report = tokio::select! {
        report = measure(&request, !args.json) => report?,
        stopped = signals.next() => return Err(stopped.into()),
    };
    if args.json {
        say(serde_json::to_string(&report)?)?;
    } else {
        for (title, table) in report.tables() {
            heading(&title)?;
            say(table.to_string())?;
        }
        if !report.bars.is_empty() {
            heading("Bars")?;
            say(bars_table(&report.bars).to_string())?;
        }
        for reason in &report.left_out {
            say(format!("\nLeft out: {reason}."))?;
        }
    }
    if let Some(file) = &args.html {
        std::fs::write(file, page(&report)?)
            .map_err(|error| format!("writing {}: {error}", file.display()))?;
    }
    if cfg!(debug_assertions) {
        note("this is a debug build, held to no bar: cargo run --release -p local -- bench jobs");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if report.bars.iter().all(|bar| bar.kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
