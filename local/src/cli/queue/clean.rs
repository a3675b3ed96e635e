//! `deo queue clean`.

use std::time::Duration;

use serde_json::json;
use shared::queue::State;

use super::{At, Outcome, jobs_of, report, span};

/// Delete the old jobs of one state
///
/// A finished job's age counts from its end, another's from when it was last taken, else from when
/// it was added. Active jobs go only when nobody holds them, the next job of a scheduler never.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// completed, failed, delayed, wait, paused, prioritized or active.
    state: State,

    /// Only jobs older than this, such as 90s, 30m, 1h or 7d; 0 for all.
    #[arg(long, value_name = "AGE", value_parser = span::parse)]
    older_than: Duration,

    /// At most so many jobs, oldest first.
    #[arg(long, value_name = "JOBS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Print one line of JSON, with the ids.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let ids = at.queue()?.clean(args.state, args.older_than, args.limit).await?;
    let count = ids.len() as u64;
    report(
        args.json,
        &json!({"state": args.state.name(), "cleaned": count, "ids": ids}),
        format!("{} deleted from {}.", jobs_of(count), args.state.name()),
    )
}
