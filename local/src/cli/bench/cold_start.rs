//! `deo bench cold-start`: how the functions start, what they weigh, and how much memory they take.

use std::path::PathBuf;
use std::process::ExitCode;

use command::Signals;

use crate::bench::cold_start::{Loaded, Measured, Options, mb, measure, table};
use crate::terminal::{heading, say};
use crate::{Failure, Outcome};

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

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let Args { runs, jobs, bootstraps, node, json } = args;
    let options = Options { runs, jobs, bootstraps, node, told: !json };
    let measured = tokio::select! {
        measured = measure(&options) => measured?,
        stopped = signals.next() => return Err(stopped.into()),
    };
    if json {
        say(serde_json::to_string(&measured)?)?;
    } else {
        show(&measured)?;
    }
    let kept = measured.bars.iter().all(|bar| bar.kept);
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
