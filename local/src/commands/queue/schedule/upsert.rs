//! `deo queue schedule upsert`.

use std::time::Duration;

use serde_json::json;
use shared::queue::JobOptions;
use shared::queue::schedule::{Rule, Scheduler};

use super::{date, queue};
use crate::commands::Outcome;
use crate::commands::queue::{report, span};

/// Make a job scheduler, or change one; its next job takes the place of the one that waits
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scheduler.
    id: String,

    #[command(flatten)]
    rule: When,

    /// The zone of the pattern, such as Europe/Berlin [default: that of the process that works out
    /// the next time]
    #[arg(long, value_name = "ZONE", conflicts_with = "every")]
    tz: Option<String>,

    /// The first job at once, then by the pattern.
    #[arg(long, conflicts_with = "every")]
    immediately: bool,

    /// How far the times are off the epoch's grid.
    #[arg(long, value_name = "SPAN", value_parser = span::parse, conflicts_with = "cron")]
    offset: Option<Duration>,

    /// The name of its jobs [default: the scheduler's id]
    #[arg(long)]
    name: Option<String>,

    /// The data of its jobs.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    data: String,

    /// The priority of its jobs; 1 is the most urgent, 0 before all.
    #[arg(long, default_value_t = 0)]
    priority: u32,

    /// Tries that each of its jobs has in all.
    #[arg(long, default_value_t = 0)]
    attempts: u32,

    /// At most so many jobs in all.
    #[arg(long, value_name = "JOBS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// No job before this.
    #[arg(long, value_name = "DATE", value_parser = date)]
    start: Option<i64>,

    /// No job after this.
    #[arg(long, value_name = "DATE", value_parser = date)]
    end: Option<i64>,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct When {
    /// A cron pattern: five fields, or six with seconds first.
    #[arg(long, value_name = "PATTERN")]
    cron: Option<String>,

    /// An interval, such as 90s, 30m, 1h or 7d.
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    every: Option<Duration>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let queue = queue()?;
    let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let rule = match args.rule.cron {
        Some(pattern) => Rule::Pattern { pattern, tz: args.tz, immediately: args.immediately },
        None => Rule::Every {
            every_ms: args.rule.every.map_or(0, ms),
            offset_ms: args.offset.map_or(0, ms),
        },
    };
    let scheduler = Scheduler {
        name: args.name.unwrap_or_else(|| args.id.clone()),
        data: args.data,
        opts: JobOptions {
            priority: args.priority,
            attempts: args.attempts,
            ..JobOptions::default()
        },
        rule,
        limit: args.limit,
        start_ms: args.start,
        end_ms: args.end,
        id: args.id,
    };
    let iteration = queue.schedule(&scheduler).await?;
    let due = span::shown(i64::try_from(iteration.delay_ms).unwrap_or(i64::MAX));
    report(
        args.json,
        &json!({"id": scheduler.id, "jobId": iteration.job_id, "delayMs": iteration.delay_ms}),
        format!("The next job of {} is {}, due in {due}.", scheduler.id, iteration.job_id),
    )
}
