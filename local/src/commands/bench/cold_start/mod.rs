//! `deo bench cold-start`: how the functions start, what they weigh, and how much memory they take.

mod bars;
mod figures;
mod load;
mod subject;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::commands::Outcome;
use crate::commands::signals::Signals;
use crate::runtime_api::Function;
use crate::terminal::{Step, heading, say};

use crate::commands::Failure;
use crate::commands::world::World;
use bars::Verdict;
use figures::{Figures, Sample, mb, table};
use load::{Load, Loaded};
use subject::{Subject, subjects};

/// Measure the start, the size and the memory of the functions as they are deployed
///
/// Plays Lambda's Runtime API to the three bootstraps and, in turn with them, to a hello-world in Rust and to
/// a drain on Node: init (from the start to the first question for an event), the moment at which the
/// first bytes reached Redis, the first and the later invocations, peak memory while idle and while
/// draining, and the size of the zip. Everything is on this machine, and nothing is encrypted: add a
/// TLS handshake and the network's round trips to init. `local/cold-start/run` builds
/// what is measured and runs this. Exits with 1 when a bar is missed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How often each is started.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Jobs that the drain has in its queue while its memory is measured.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,

    /// The folder with a folder for each function in Rust, and a bootstrap and its zip in each.
    #[arg(long, value_name = "FOLDER", default_value = "target/lambda")]
    bootstraps: PathBuf,

    /// The folder with the function on Node, installed and zipped.
    #[arg(long, value_name = "FOLDER", default_value = "local/cold-start/node")]
    node: PathBuf,

    /// Print the figures as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Everything that was measured.
#[derive(Serialize)]
struct Measured {
    runs: u32,
    functions: Vec<Figures>,
    drained: Loaded,
    bars: Vec<Verdict>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let measured = tokio::select! {
        measured = measure(&args) => measured?,
        () = signals.next() => return Err("interrupted".into()),
    };
    if args.json {
        say(serde_json::to_string(&measured)?)?;
    } else {
        show(&measured)?;
    }
    let kept = measured.bars.iter().all(|bar| bar.kept);
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(args: &Args) -> Result<Measured, Failure> {
    let step = Step::begin("starting Redis and Postgres", !args.json);
    let world = World::start(20).await?;
    let subjects = subjects(args, &world)?;
    step.done("Redis and Postgres are there, and every function was found")?;

    let step = Step::begin("starting functions", !args.json);
    let mut samples: Vec<Vec<Sample>> = subjects.iter().map(|_| Vec::new()).collect();
    // In turn, so that whatever else this machine does meets all of them.
    for _ in 0..args.runs {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            samples.push(sample(subject, &world).await?);
        }
    }
    let functions: Vec<Figures> = subjects
        .iter()
        .zip(&samples)
        .map(|(subject, samples)| subject.figures(samples))
        .collect::<Result<_, _>>()?;
    step.done(format!("{} starts of each of {} functions", args.runs, functions.len()))?;

    let step = Step::begin("seeding and enqueueing", !args.json);
    let load = Load::prepare(&world, args.jobs).await?;
    step.done(format!("{} jobs enqueued", args.jobs))?;
    let step = Step::begin("draining", !args.json);
    let drain =
        subjects.iter().find(|subject| subject.name == "drain").ok_or("there is no drain")?;
    let drained = load.drain(drain, &world).await?;
    step.done(format!("{} jobs drained", drained.jobs))?;
    let bars = bars::verdicts(&functions, &drained)?;
    Ok(Measured { runs: args.runs, functions, drained, bars })
}

/// One start, one first invocation and three more.
async fn sample(subject: &Subject, world: &World) -> Result<Sample, Failure> {
    world.forget_connections();
    let mut function = subject.start(&[]).await?;
    let first = function.invoke(&subject.event).await?.took;
    let connected = world.connected().map(|at| at - function.started);
    let mut warm = Vec::with_capacity(3);
    for _ in 0..3 {
        warm.push(function.invoke(&subject.event).await?.took);
    }
    warm.sort_unstable();
    let sample = Sample {
        init: function.init,
        connected,
        first,
        warm: warm[1],
        peak_bytes: function.peak_memory()?,
    };
    Function::stop(function).await;
    Ok(sample)
}

fn show(measured: &Measured) -> Result<(), Failure> {
    heading(&format!(
        "Milliseconds: the median of {} starts, the least and the most",
        measured.runs
    ))?;
    say(table(&measured.functions).to_string())?;
    let Loaded { jobs, ticks, seconds, peak_bytes } = measured.drained;
    say(format!(
        "\nThe drain had {} MB at most while it drained {jobs} jobs in {ticks} ticks and {seconds:.1} s.",
        mb(peak_bytes)
    ))?;
    heading("Bars")?;
    for bar in &measured.bars {
        say(bar.line())?;
    }
    Ok(())
}
