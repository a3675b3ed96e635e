//! `deo drain`: what the Lambda function does at a tick, here.

use std::process::ExitCode;
use std::time::Duration;

use drain::Drain;
use shared::config::{Config, ProcessEnv};
use shared::engine::StoppedBecause;
use tokio::time::Instant;

use super::report;
use crate::Outcome;
use crate::terminal;

/// Run the drain for one tick, or until nothing is left to claim
///
/// Exits with 0 when the tick worked, even if jobs failed with a reason, and with 1 when Redis or
/// Postgres failed. Jobs delayed into the future are not waited for, and none gather.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tick again for as long as a tick ends only because its time is up.
    #[arg(long)]
    until_empty: bool,

    /// Print each tick's report as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut config = Config::from_env(&ProcessEnv)?;
    // Whoever runs it waits for the jobs.
    config.drain.patience = Duration::ZERO;
    config.drain.budget = None;
    let drain = Drain::new(&config)?;
    loop {
        let spinner = terminal::spinner("draining");
        let report = drain.tick(Instant::now() + config.drain.timeout).await;
        spinner.finish_and_clear();
        if args.json {
            terminal::say(serde_json::to_string(&report)?)?;
        } else {
            terminal::say(report::table(&[("tick", &report)]).to_string())?;
        }
        match report.stopped_because {
            StoppedBecause::Error => {
                return Err(report.error.unwrap_or_else(|| "the tick failed".to_owned()).into());
            }
            StoppedBecause::Deadline if args.until_empty => {}
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}
