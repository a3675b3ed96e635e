//! `deo bench jobs`: jobs a second and what they cost, beside BullMQ doing the same work and the servers alone.

mod bars;
mod child;
mod figures;
mod page;
mod plan;
mod stage;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::commands::signals::Signals;
use crate::commands::{Failure, Outcome};
use crate::terminal::{Step, heading, say};

use figures::{Line, Report};
use plan::Workload;
use stage::Stage;
use subject::Subject;

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
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=4_000_000))]
    backlog: u32,

    /// The folder with the rivals.
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/bench"))]
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
        return child::run(&task).await;
    }
    let mut signals = Signals::new()?;
    let report = tokio::select! {
        report = measure(&args) => report?,
        () = signals.next() => return Err("interrupted".into()),
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
            say(bars::table(&report.bars).to_string())?;
        }
        for reason in &report.left_out {
            say(format!("\nLeft out: {reason}."))?;
        }
    }
    if let Some(file) = &args.html {
        std::fs::write(file, page::of(&report)?)
            .map_err(|error| format!("writing {}: {error}", file.display()))?;
    }
    if cfg!(debug_assertions) {
        eprintln!(
            "this is a debug build, held to no bar: cargo run --release -p local -- bench jobs"
        );
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if report.bars.iter().all(|bar| bar.kept) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(args: &Args) -> Result<Report, Failure> {
    let told = !args.json;
    let mut left_out = Vec::new();
    let wanted = |it: &Subject| args.only.is_empty() || args.only.contains(it);
    let mut subjects: Vec<Subject> = Subject::all().filter(wanted).collect();
    if subjects.iter().any(|subject| subject.is_rival()) {
        let step = Step::begin("looking for the rivals", told);
        if let Some(reason) = subject::missing(&args.rivals).await {
            subjects.retain(|subject| !subject.is_rival());
            left_out.push(reason);
        }
        step.done("looked for the rivals")?;
    }
    let step = Step::begin("starting Redis, Postgres and the gateway", told);
    let mut stage = Stage::start(args.projects, args.rivals.clone()).await?;
    step.done("Redis, Postgres and the gateway are there")?;
    let mut lines = Vec::new();
    for workload in plan::chosen(&args.workload) {
        for turns in plan::turns(workload, args.projects, args.backlog, &args.round_trip, &subjects)
        {
            let step = Step::begin(turns.title.clone(), told);
            let mut group: Vec<Line> =
                turns.each.iter().map(|turn| Line::of(&turns, turn)).collect();
            for run in 0..args.runs {
                for place in 0..group.len() {
                    // Another one begins each time.
                    let place = (place + run as usize) % group.len();
                    let sample = stage.take(&turns.each[place]).await?;
                    group[place].samples.push(sample);
                }
            }
            step.done(&turns.title)?;
            lines.extend(group);
        }
    }
    Ok(Report::new(lines, left_out))
}

/// The longest that one subject may take for one turn.
const LONGEST: Duration = Duration::from_secs(900);
