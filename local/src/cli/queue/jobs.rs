//! `deo queue jobs`.

use serde_json::json;
use shared::clock::Clock;
use shared::queue::{JobLine, MOST_PER_PAGE, State};

use super::{Outcome, queue, report, shown, span};
use crate::terminal;

/// List the jobs of one state, a page at a time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// wait, paused, prioritized, delayed, active, waiting-children, completed or failed.
    state: State,

    /// Jobs to leave out first.
    #[arg(long, default_value_t = 0, value_name = "JOBS", value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    skip: u64,

    /// Jobs to list, 1000 at most.
    #[arg(long, default_value_t = 20, value_name = "JOBS", value_parser = clap::value_parser!(u64).range(1..=MOST_PER_PAGE))]
    limit: u64,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let state = args.state;
    let jobs = queue()?.jobs(state, args.skip, args.limit).await?;
    let text = if jobs.is_empty() {
        format!("No jobs in {}.", state.name())
    } else {
        table(state, &jobs, Clock::System.now_ms())
    };
    report(args.json, &json!({"state": state.name(), "skip": args.skip, "jobs": jobs}), text)
}

fn table(state: State, jobs: &[JobLine], now: i64) -> String {
    let (own, right): (&[&str], &[usize]) = match state {
        State::Wait | State::Paused | State::WaitingChildren => (&[], &[]),
        State::Prioritized => (&["priority"], &[3]),
        State::Delayed => (&["due in", "attempts"], &[3, 4]),
        State::Active => (&["taken", "attempts"], &[3, 4]),
        State::Completed => (&["ended", "took", "attempts"], &[3, 4, 5]),
        State::Failed => (&["ended", "attempts", "reason"], &[3, 4]),
    };
    let header = [&["id", "name", "added"], own].concat();
    let mut table = terminal::table(&header, &[&[2], right].concat());
    let number = |n: Option<i64>| n.unwrap_or_default().to_string();
    let ago = |at: Option<i64>| {
        at.map_or_else(String::new, |at| span::shown(now.saturating_sub(at)) + " ago")
    };
    for job in jobs {
        let name =
            job.name.as_deref().map_or_else(|| "(no job)".to_owned(), |n| shown::line(n, 40));
        let mut row = vec![shown::line(&job.id, 60), name, ago(job.timestamp)];
        let attempts = number(job.attempts_made);
        row.extend(match state {
            State::Wait | State::Paused | State::WaitingChildren => vec![],
            State::Prioritized => vec![number(job.priority)],
            State::Delayed => {
                vec![job.due.map_or_else(String::new, |due| span::shown(due - now)), attempts]
            }
            State::Active => vec![ago(job.processed_on), attempts],
            State::Completed => vec![ago(job.finished_on), took(job), attempts],
            State::Failed => {
                let reason = job.failed_reason.as_deref().unwrap_or_default();
                vec![ago(job.finished_on), attempts, shown::line(reason, 60)]
            }
        });
        table.add_row(row);
    }
    table.to_string()
}

fn took(job: &JobLine) -> String {
    let span = job.finished_on.zip(job.processed_on).map(|(end, start)| span::shown(end - start));
    span.unwrap_or_default()
}
