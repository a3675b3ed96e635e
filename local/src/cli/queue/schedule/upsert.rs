//! `deo queue schedule upsert`.

use std::time::Duration;

use serde_json::json;
use shared::clock::millis;
use shared::queue::JobOptions;
use shared::queue::schedule::{Rule, Scheduler};

use super::{date, queue};
use crate::Outcome;
use crate::cli::queue::{At, report, span};

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

    /// How far the times are off the epoch's grid, less than the interval. As in BullMQ, where the
    /// interval stays, a job that is made already keeps its time.
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

    /// Tries that each of its jobs has in all [default: QUEUE_ATTEMPTS]
    #[arg(long)]
    attempts: Option<u32>,

    /// How long a job waits for its second try; it doubles with each try [default: QUEUE_BACKOFF_MS]
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    backoff: Option<Duration>,

    /// At most so many completed jobs stay in Redis, a number or all, for as long as
    /// QUEUE_KEEP_COMPLETED_SECONDS says [default: QUEUE_KEEP_COMPLETED]
    #[arg(long, value_name = "JOBS", value_parser = bound)]
    keep_completed: Option<Bound>,

    /// At most so many failed jobs stay in Redis, a number or all, for as long as
    /// QUEUE_KEEP_FAILED_SECONDS says [default: QUEUE_KEEP_FAILED]
    #[arg(long, value_name = "JOBS", value_parser = bound)]
    keep_failed: Option<Bound>,

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

/// A number of jobs; `None` is all.
type Bound = Option<u64>;

/// Reads a bound as `QUEUE_KEEP_COMPLETED` has it.
fn bound(text: &str) -> Result<Bound, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(None);
    }
    let jobs = text.parse().ok().filter(|jobs| *jobs <= 10_000_000);
    jobs.map(Some).ok_or_else(|| "write a whole number up to 10000000, or all".to_owned())
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let (queue, config) = queue(at)?;
    // What is not said is as for all jobs that we add.
    let mut jobs = config.jobs;
    jobs.attempts = args.attempts.unwrap_or(jobs.attempts);
    jobs.backoff = args.backoff.unwrap_or(jobs.backoff);
    jobs.keep_completed.count = args.keep_completed.unwrap_or(jobs.keep_completed.count);
    jobs.keep_failed.count = args.keep_failed.unwrap_or(jobs.keep_failed.count);
    let rule = match args.rule.cron {
        Some(pattern) => Rule::Pattern { pattern, tz: args.tz, immediately: args.immediately },
        None => Rule::Every {
            every_ms: args.rule.every.map_or(0, millis),
            offset_ms: args.offset.map_or(0, millis),
        },
    };
    let scheduler = Scheduler {
        name: args.name.unwrap_or_else(|| args.id.clone()),
        data: args.data,
        opts: JobOptions { priority: args.priority, ..jobs.options() },
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

#[cfg(test)]
mod tests {
    use super::bound;

    #[test]
    fn a_bound_is_a_number_or_all() {
        for (text, jobs) in [("0", Some(0)), ("10000000", Some(10_000_000)), ("All", None)] {
            assert_eq!(bound(text), Ok(jobs), "{text}");
        }
        for text in ["", "-1", "1.5", "10000001", "none"] {
            assert!(bound(text).is_err(), "{text}");
        }
    }
}
