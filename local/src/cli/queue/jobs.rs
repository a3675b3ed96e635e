//! `deo queue jobs`.

use serde_json::{Value, json};
use shared::clock::Clock;
use shared::queue::{Error, JobLine, MOST_PER_PAGE, Queue, State};
use shared::recompute::{JOB_NAME, JobData};

use super::{At, Outcome, report, shown, span};
use crate::terminal;

/// List the jobs of one state, a page at a time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// wait, paused, prioritized, delayed, active, waiting-children, completed or failed.
    state: State,

    /// Only jobs of this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,

    /// Only jobs asked for with this reason (manual, scheduled or after_import), or that failed with a
    /// reason that contains this text.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: Option<String>,

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

/// Which jobs are looked for.
#[derive(Debug, Default)]
pub(in crate::cli) struct Filter {
    /// The project that their data names.
    pub(in crate::cli) project: Option<String>,
    /// Why they were asked for, or a part of why they failed.
    pub(in crate::cli) reason: Option<String>,
}

impl Filter {
    fn takes(&self, job: &JobLine) -> bool {
        let asked = Asked::of(job);
        let project = self.project.as_ref().is_none_or(|it| asked.project.as_ref() == Some(it));
        let failed = job.failed_reason.as_deref().unwrap_or_default();
        let reason = self.reason.as_ref();
        project && reason.is_none_or(|it| asked.reason.as_ref() == Some(it) || failed.contains(it))
    }
}

/// What a job's data says, if it is one of ours.
#[derive(Default)]
struct Asked {
    project: Option<String>,
    reason: Option<String>,
}

impl Asked {
    fn of(job: &JobLine) -> Self {
        let data = job.data.as_deref().and_then(|json| JobData::parse(json).ok());
        let Some(data) = data else { return Self::default() };
        let reason = json!(data.reason).as_str().map(str::to_owned);
        Self { project: Some(data.project_id.into()), reason }
    }
}

/// The project whose score a job asks for.
pub(in crate::cli) fn project(job: &JobLine) -> Option<String> {
    Asked::of(job).project
}

/// At most `limit` jobs on `state` that `filter` takes, after the first `skip` of them. Where it takes not all,
/// the whole state is looked through, 1,000 jobs at a time.
pub(in crate::cli) async fn find(
    queue: &Queue,
    state: State,
    filter: &Filter,
    skip: u64,
    limit: u64,
) -> Result<Vec<JobLine>, Error> {
    if filter.project.is_none() && filter.reason.is_none() {
        return queue.jobs(state, skip, limit).await;
    }
    let (mut found, mut to_skip, mut looked_at) = (Vec::<JobLine>::new(), skip, 0);
    loop {
        let page = queue.jobs(state, looked_at, MOST_PER_PAGE).await?;
        let is_last = (page.len() as u64) < MOST_PER_PAGE;
        for job in page.into_iter().filter(|job| filter.takes(job)) {
            // What moved meanwhile may come again.
            if found.iter().any(|it| it.id == job.id) {
                continue;
            }
            if to_skip > 0 {
                to_skip -= 1;
                continue;
            }
            found.push(job);
            if found.len() as u64 == limit {
                return Ok(found);
            }
        }
        if is_last {
            return Ok(found);
        }
        looked_at += MOST_PER_PAGE;
    }
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let state = args.state;
    let filter = Filter { project: args.project, reason: args.reason };
    let jobs = find(&at.queue()?, state, &filter, args.skip, args.limit).await?;
    let text = if jobs.is_empty() {
        format!("No such jobs in {}.", state.name())
    } else {
        table(state, &jobs, Clock::System.now_ms())
    };
    let lines: Vec<Value> = jobs.iter().map(object).collect();
    report(args.json, &json!({"state": state.name(), "skip": args.skip, "jobs": lines}), text)
}

/// A line for programs: the job, and what it asks for.
fn object(job: &JobLine) -> Value {
    let Asked { project, reason } = Asked::of(job);
    let mut line = json!(job);
    line["projectId"] = project.into();
    line["reason"] = reason.into();
    line
}

fn table(state: State, jobs: &[JobLine], now: i64) -> String {
    // What is the same in each job, or in none, is worth no column.
    let has_projects = jobs.iter().any(|job| Asked::of(job).project.is_some());
    let has_names = jobs.iter().any(|job| job.name.as_deref() != Some(JOB_NAME));
    let number = |n: Option<i64>| n.unwrap_or_default().to_string();
    let ago = |at: Option<i64>| {
        at.map_or_else(String::new, |at| span::shown(now.saturating_sub(at)) + " ago")
    };
    // Each cell with its column's name, and whether that is aligned to the right.
    let row = |job: &JobLine| {
        let Asked { project, reason } = Asked::of(job);
        let mut row = vec![("id", false, shown::line(&job.id, 60))];
        if has_names {
            let name = job.name.as_deref();
            let name = name.map_or_else(|| "(no job)".to_owned(), |name| shown::line(name, 40));
            row.push(("name", false, name));
        }
        if has_projects {
            row.push(("project", false, shown::line(&project.unwrap_or_default(), 60)));
            row.push(("asked", false, reason.unwrap_or_default()));
        }
        row.push(("added", true, ago(job.timestamp)));
        let attempts = ("attempts", true, number(job.attempts_made));
        row.extend(match state {
            State::Wait | State::Paused | State::WaitingChildren => vec![],
            State::Prioritized => vec![("priority", true, number(job.priority))],
            State::Delayed => {
                let due = job.due.map_or_else(String::new, |due| span::shown(due - now));
                vec![("due in", true, due), attempts]
            }
            State::Active => vec![("taken", true, ago(job.processed_on)), attempts],
            State::Completed => {
                vec![("ended", true, ago(job.finished_on)), ("took", true, took(job)), attempts]
            }
            State::Failed => {
                let reason = job.failed_reason.as_deref().unwrap_or_default();
                let reason = ("reason", false, shown::line(reason, 60));
                vec![("ended", true, ago(job.finished_on)), attempts, reason]
            }
        });
        row
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    let header: Vec<&str> = rows.iter().take(1).flatten().map(|cell| cell.0).collect();
    let right = rows.iter().take(1).flatten().enumerate().filter(|(_, cell)| cell.1);
    let right: Vec<usize> = right.map(|(at, _)| at).collect();
    let mut table = terminal::table(&header, &right);
    for row in rows {
        table.add_row(row.into_iter().map(|cell| cell.2));
    }
    terminal::fit(&mut table);
    table.to_string()
}

fn took(job: &JobLine) -> String {
    let span = job.finished_on.zip(job.processed_on).map(|(end, start)| span::shown(end - start));
    span.unwrap_or_default()
}
