//! `deo bench commands`: billed commands a job, beside BullMQ doing the same work.

use std::process::ExitCode;

use crate::Outcome;
use crate::bench::commands::measure;
use crate::terminal::{note, say};

/// Billed commands a job, counted by Redis itself, beside BullMQ 6 doing the same work
///
/// Takes a good minute, for which BullMQ's worker idles. BullMQ needs Node and npm; where they are
/// missing, only our column is measured.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Jobs of each kind.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(100..=4_000))]
    jobs: u32,

    /// Leave BullMQ out.
    #[arg(long)]
    ours: bool,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let measured = measure(args.jobs, !args.ours, !args.json).await?;
    if args.json {
        say(measured.json().to_string())?;
    } else {
        say(format!("\n{}", measured.table()))?;
        if let Some(reason) = &measured.missing {
            say(format!("\nWithout BullMQ's columns: {reason}."))?;
        }
    }
    let over = measured.over();
    for work in &over {
        note(format!("deo: over its budget: {work}"));
    }
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
