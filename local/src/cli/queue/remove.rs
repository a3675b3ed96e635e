//! `deo queue remove`.

use serde_json::json;

use super::{At, Outcome, report, shown};

/// Remove a job in whatever state it is, and its children
///
/// Refused while it or an open child of it is being processed, and for the next job of a scheduler.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The job.
    id: String,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let id = &args.id;
    let state = at.queue()?.remove(id).await?;
    report(
        args.json,
        &json!({"removed": id, "state": state}),
        format!("Job {} is removed; its state was {state}.", shown::line(id, 120)),
    )
}
