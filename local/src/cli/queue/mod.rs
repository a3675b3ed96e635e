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
use shared::config::{Config, ProcessEnv, QUEUE_NAME};
use shared::queue::Queue;

use crate::queue::connect;
use crate::terminal;
use crate::{Failure, Outcome};

/// Look into the queue, and act on it as BullMQ does
///
/// What BullMQ refuses is refused with its reason, and exits with 1.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    at: At,

    #[command(subcommand)]
    command: Command,
}

/// Where the queue is.
#[derive(Debug, clap::Args)]
struct At {
    /// Another queue under REDIS_PREFIX, such as one that the drain forwards (QUEUES).
    // Known to every command, so that none may have an argument of this id, as `schedule upsert` has `name`.
    #[arg(long, global = true, value_name = "NAME", default_value = QUEUE_NAME, value_parser = name)]
    queue: String,
}

impl At {
    /// The settings, as they are for this queue.
    fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::from_env(&ProcessEnv)?;
        config.queue.name.clone_from(&self.queue);
        Ok(config)
    }

    fn queue(&self) -> Result<Queue, Failure> {
        connect(&self.config()?)
    }
}

/// Reads a queue's name.
///
/// # Errors
/// A sentence about what BullMQ accepts.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(':') {
        return Err("a queue's name has at least one character, and no `:`".to_owned());
    }
    Ok(text.to_owned())
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
    let Args { at, command } = args;
    match command {
        Command::Stats(args) => stats::run(&at, args).await,
        Command::Watch(args) => watch::run(&at, args).await,
        Command::Jobs(args) => jobs::run(&at, args).await,
        Command::Job(args) => job::run(&at, args).await,
        Command::Prefixes(args) => prefixes::run(&at, args).await,
        Command::Pause(args) => pause::run(&at, args).await,
        Command::Resume(args) => resume::run(&at, args).await,
        Command::Limit(args) => limit::run(&at, args).await,
        Command::Retry(args) => retry::run(&at, args).await,
        Command::Promote(args) => promote::run(&at, args).await,
        Command::Remove(args) => remove::run(&at, args).await,
        Command::Clean(args) => clean::run(&at, args).await,
        Command::Obliterate(args) => obliterate::run(&at, args).await,
        Command::Schedule(args) => schedule::run(&at, args).await,
    }
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
