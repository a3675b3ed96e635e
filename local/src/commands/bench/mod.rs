//! `deo bench`: measurements, each beside what it is held against; one file or folder a measurement.

mod bullmq;
mod cold_start;
mod commands;
mod jobs;
mod ours;
mod rest;
mod scripts;

use clap::Subcommand;

use super::Outcome;

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
    Rest(rest::Args),
    Scripts(scripts::Args),
}

pub(super) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::ColdStart(args) => cold_start::run(args).await,
        Command::Commands(args) => commands::run(args).await,
        Command::Jobs(args) => jobs::run(args).await,
        Command::Rest(args) => rest::run(args).await,
        Command::Scripts(args) => scripts::run(args).await,
    }
}
