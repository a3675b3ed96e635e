//! `deo queue schedule remove`.

use serde_json::json;

use super::queue;
use crate::Outcome;
use crate::cli::queue::At;
use crate::cli::queue::report;

/// End a job scheduler, and remove its next job if that still waits for its time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scheduler.
    id: String,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let id = &args.id;
    if !queue(at)?.0.unschedule(id).await? {
        return Err(format!("there is no job scheduler {id}").into());
    }
    report(args.json, &json!({"removed": id}), format!("The job scheduler {id} has ended."))
}
