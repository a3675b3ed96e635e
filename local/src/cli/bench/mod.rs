//! `deo bench`: what is measured ([`crate::bench`]), told; one file a measurement.

mod cold_start;
mod commands;
mod jobs;
mod latency;
mod rest;
mod scripts;

use clap::Subcommand;

use crate::Outcome;

/// Where this repository has the rivals.
const RIVALS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/bench");

/// Measure, and hold the figures to their bars
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    ColdStart(cold_start::Args),
    Commands(commands::Args),
    Jobs(jobs::Args),
    Latency(latency::Args),
    Rest(rest::Args),
    Scripts(scripts::Args),
}

pub(super) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::ColdStart(args) => cold_start::run(args).await,
        Command::Commands(args) => commands::run(args).await,
        Command::Jobs(args) => jobs::run(args).await,
        Command::Latency(args) => latency::run(args).await,
        Command::Rest(args) => rest::run(args).await,
        Command::Scripts(args) => scripts::run(args).await,
    }
}
