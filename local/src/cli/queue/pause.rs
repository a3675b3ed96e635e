//! `deo queue pause`.

use serde_json::json;

use super::{Outcome, queue, report};

/// Pause the queue for every peer; what is active goes on
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    queue()?.pause().await?;
    report(args.json, &json!({"paused": true}), "The queue is paused.")
}
