//! `deo queue pause`.

use serde_json::json;

use super::{At, Outcome, report};

/// Pause the queue for every peer; what is active goes on
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    at.queue()?.pause().await?;
    report(args.json, &json!({"paused": true}), "The queue is paused.")
}
