//! `deo queue schedule`: job schedulers; one file a subcommand.

mod list;
mod preview;
mod remove;
mod upsert;

use clap::Subcommand;
use shared::config::Config;
use shared::queue::Queue;

use super::{At, Outcome, connect};
use crate::Failure;

/// Make, list and end job schedulers, where ENABLE_QUEUE_SCHEDULERS=true
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Upsert(Box<upsert::Args>),
    List(list::Args),
    Remove(remove::Args),
    Preview(preview::Args),
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    match args.command {
        Command::Upsert(args) => upsert::run(at, *args).await,
        Command::List(args) => list::run(at, args).await,
        Command::Remove(args) => remove::run(at, args).await,
        Command::Preview(args) => preview::run(args),
    }
}

/// The queue and its settings, if its schedulers may be touched from here.
fn queue(at: &At) -> Result<(Queue, Config), Failure> {
    let config = at.config()?;
    if !config.schedulers {
        return Err("job schedulers are left to BullMQ here: set ENABLE_QUEUE_SCHEDULERS=true to \
                    make, list and end them with deo"
            .into());
    }
    Ok((connect(&config)?, config))
}

/// Reads a date.
///
/// # Errors
/// A sentence about what is accepted.
fn date(text: &str) -> Result<i64, String> {
    shared::clock::from_iso8601(text)
        .ok_or_else(|| "write a date as 2026-01-31 or 2026-01-31T12:00:00Z".to_owned())
}
