//! `deo queue retry`.

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;
use shared::queue::Ended;

use super::{At, Outcome, jobs_of, report, shown};

/// Put a finished job, or all failed ones, back to work
///
/// The attempts that a job made stay counted; one more is made in any case.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,

    /// How the job ended.
    #[arg(long, value_enum, default_value_t = End::Failed, conflicts_with = "all_failed")]
    state: End,

    /// Forget the attempts that the job made.
    #[arg(long, conflicts_with = "all_failed")]
    reset_attempts: bool,

    /// Of the failed jobs only those whose reason contains this text, as it is written, but for `…`, which
    /// stands for anything. Their order is then only roughly that in which they failed.
    #[arg(long, value_name = "TEXT", requires = "all_failed", conflicts_with = "id")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// This job.
    id: Option<String>,

    /// Every job that has failed until now.
    #[arg(long, visible_alias = "failed")]
    all_failed: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum End {
    Failed,
    Completed,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let queue = at.queue()?;
    let Some(id) = &args.which.id else {
        let retried = match &args.reason {
            Some(text) => queue.retry_by_reason(text).await?,
            None => queue.retry_all(Ended::Failed).await?,
        };
        return report(
            args.json,
            &json!({"retried": retried}),
            format!("{} retried.", jobs_of(retried)),
        );
    };
    let ended = match args.state {
        End::Failed => Ended::Failed,
        End::Completed => Ended::Completed,
    };
    queue.retry(id, ended, args.reset_attempts).await?;
    report(
        args.json,
        &json!({"retried": 1, "id": id}),
        format!("Job {} waits again.", shown::line(id, 120)),
    )
}
