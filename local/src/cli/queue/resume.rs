//! `deo queue resume`.

use serde_json::json;

use super::{At, Outcome, report};

/// Resume the queue, whichever BullMQ paused it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    at.queue()?.resume().await?;
    report(args.json, &json!({"paused": false}), "The queue is resumed.")
}
