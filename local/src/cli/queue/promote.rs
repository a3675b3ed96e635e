//! `deo queue promote`.

use serde_json::json;

use super::{At, Outcome, jobs_of, report, shown};

/// Let a delayed job, or all of them, run as soon as it is their turn
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// This job.
    id: Option<String>,

    /// Every delayed job. As in BullMQ, prioritized ones lose their place.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let queue = at.queue()?;
    let Some(id) = &args.which.id else {
        let promoted = queue.promote_all().await?;
        let sentence = format!("{} promoted.", jobs_of(promoted));
        return report(args.json, &json!({"promoted": promoted}), sentence);
    };
    queue.promote(id).await?;
    report(
        args.json,
        &json!({"promoted": 1, "id": id}),
        format!("Job {} waits for its turn.", shown::line(id, 120)),
    )
}
