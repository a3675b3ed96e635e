//! `deo doctor`: whether a stage can be switched on.

use std::process::ExitCode;

use shared::config::ProcessEnv;

use crate::doctor::examine;
use crate::permissions::Function;
use crate::{Outcome, terminal};

/// Check a stage: its settings, both servers, and the queue
///
/// Prints one line a check, with what to do about it, and changes nothing. With --live, everything that is taken for
/// granted of Upstash and Neon is tried as well: some 565 billed commands and 22 MB, on keys of a random name that are deleted
/// at the end. Exits with 1 when a check fails. No secret is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Try the servers out; this writes a few keys.
    #[arg(long)]
    live: bool,

    /// Whose role of Postgres it is that DATABASE_URL names; else one that does everything.
    #[arg(long, value_enum)]
    function: Option<Function>,

    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let spinner = terminal::spinner("checking");
    let report = examine(&ProcessEnv, args.function, args.live).await;
    spinner.finish_and_clear();
    if args.json {
        terminal::say(serde_json::to_string(&report)?)?;
    } else {
        for check in &report.checks {
            terminal::say(check.to_string())?;
        }
    }
    Ok(if report.fails() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
