//! `deo queue obliterate`.

use serde_json::json;

use super::{At, Outcome, jobs_of, report};

/// Delete the whole queue with all its jobs
///
/// The queue must be paused (`deo queue pause`). Nothing brings it back.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Yes, all of it.
    #[arg(long, required = true)]
    yes: bool,

    /// Even jobs that are being processed.
    #[arg(long)]
    force: bool,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let jobs = at.queue()?.obliterate(args.force).await?;
    report(
        args.json,
        &json!({"obliterated": true, "jobs": jobs}),
        format!("The queue is gone, and {} with it.", jobs_of(jobs)),
    )
}
