//! `deo queue`: the queue from an operator's chair; one file a subcommand.

mod clean;
mod job;
pub(super) mod jobs;
mod limit;
mod notes;
mod obliterate;
mod pause;
mod prefixes;
mod promote;
mod remove;
mod resume;
mod retry;
mod schedule;
pub(super) mod shown;
pub(super) mod span;
mod stats;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;
use shared::config::{Config, ProcessEnv};
use shared::queue::Queue;

use crate::queue::connect;
use crate::terminal;
use crate::{Failure, Outcome};

/// Look into the queue, and act on it as BullMQ does
///
/// What BullMQ refuses is refused with its reason, and exits with 1.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Stats(stats::Args),
    Watch(watch::Args),
    Jobs(jobs::Args),
    Job(job::Args),
    Prefixes(prefixes::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Limit(limit::Args),
    Retry(retry::Args),
    Promote(promote::Args),
    Remove(remove::Args),
    Clean(clean::Args),
    Obliterate(obliterate::Args),
    Schedule(schedule::Args),
}

pub(super) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::Stats(args) => stats::run(args).await,
        Command::Watch(args) => watch::run(args).await,
        Command::Jobs(args) => jobs::run(args).await,
        Command::Job(args) => job::run(args).await,
        Command::Prefixes(args) => prefixes::run(args).await,
        Command::Pause(args) => pause::run(args).await,
        Command::Resume(args) => resume::run(args).await,
        Command::Limit(args) => limit::run(args).await,
        Command::Retry(args) => retry::run(args).await,
        Command::Promote(args) => promote::run(args).await,
        Command::Remove(args) => remove::run(args).await,
        Command::Clean(args) => clean::run(args).await,
        Command::Obliterate(args) => obliterate::run(args).await,
        Command::Schedule(args) => schedule::run(args).await,
    }
}

/// The queue that the environment names.
fn queue() -> Result<Queue, Failure> {
    connect(&Config::from_env(&ProcessEnv)?)
}

/// Says what was done: one line of JSON for programs, a sentence for people.
fn report(json: bool, result: &impl Serialize, sentence: impl AsRef<str>) -> Outcome {
    if json {
        terminal::say(serde_json::to_string(result)?)?;
    } else {
        terminal::say(sentence)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `1 job`, `2 jobs`.
fn jobs_of(count: u64) -> String {
    format!("{count} {}", if count == 1 { "job" } else { "jobs" })
}
