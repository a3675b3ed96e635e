//! `deo bench scripts`: how long the scripts are, and how long they keep a full Redis busy.

use std::process::ExitCode;

use crate::Outcome;
use crate::bench::scripts::measure;
use crate::terminal::say;

/// How long the scripts are, and the server's time for batches of 100 on a queue of a million
///
/// Fills a private Redis with as many waiting jobs and again as many prioritized ones; a million of
/// each takes about 2 GB and some minutes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Jobs that wait, and jobs with a priority.
    #[arg(long, default_value_t = 1_000_000)]
    jobs: u32,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let measured = measure(args.jobs, !args.json).await?;
    if args.json {
        say(serde_json::to_string(&measured)?)?;
    } else {
        for table in measured.tables() {
            say(format!("\n{table}"))?;
        }
    }
    Ok(if measured.kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
