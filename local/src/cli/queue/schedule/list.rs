//! `deo queue schedule list`.

use serde_json::json;
use shared::clock::{Clock, to_iso8601};
use shared::queue::MOST_PER_PAGE;
use shared::queue::schedule::{Behind, SchedulerView};

use super::queue;
use crate::Outcome;
use crate::cli::queue::{At, report, shown, span};
use crate::terminal;

/// List the job schedulers, the next due first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Schedulers to leave out first.
    #[arg(long, default_value_t = 0, value_name = "SCHEDULERS", value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    skip: u64,

    /// Schedulers to list, 1000 at most.
    #[arg(long, default_value_t = 100, value_name = "SCHEDULERS", value_parser = clap::value_parser!(u64).range(1..=MOST_PER_PAGE))]
    limit: u64,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let schedulers = queue(at)?.0.schedulers(args.skip, args.limit).await?;
    let text = if schedulers.is_empty() {
        "No job schedulers.".to_owned()
    } else {
        table(&schedulers, Clock::System.now_ms())
    };
    report(args.json, &json!({"schedulers": schedulers}), text)
}

fn table(schedulers: &[SchedulerView], now: i64) -> String {
    let mut table = terminal::table(&["id", "name", "rule", "next", "jobs", "ends"], &[4]);
    for s in schedulers {
        let rule = match (&s.pattern, s.every) {
            (Some(pattern), _) => {
                format!("{pattern} {}", s.tz.as_deref().unwrap_or_default()).trim_end().to_owned()
            }
            (None, Some(every)) => format!("every {}", span::shown(every)),
            (None, None) => "(not of a scheduler)".to_owned(),
        };
        let jobs = match (s.iterations, s.limit) {
            (Some(jobs), Some(limit)) => format!("{jobs} of {limit}"),
            (Some(jobs), None) => jobs.to_string(),
            (None, _) => String::new(),
        };
        table.add_row([
            shown::line(&s.id, 60),
            shown::line(s.name.as_deref().unwrap_or_default(), 40),
            shown::line(&rule, 60),
            next(s, now),
            jobs,
            s.end_date.map_or_else(String::new, to_iso8601),
        ]);
    }
    table.to_string()
}

/// When the next job is due, or why that cannot be told.
fn next(scheduler: &SchedulerView, now: i64) -> String {
    match (scheduler.next, scheduler.behind) {
        (Some(next), _) => format!("in {}", span::shown(next - now)),
        (None, Some(Behind::OverdueSince(at))) => format!("overdue since {}", to_iso8601(at)),
        (None, Some(Behind::GoneSince(at))) => {
            format!("its job of {} is gone: the next tick makes one", to_iso8601(at))
        }
        (None, Some(Behind::EndedAt(_))) => "none: it has ended".to_owned(),
        (None, None) => String::new(),
    }
}
