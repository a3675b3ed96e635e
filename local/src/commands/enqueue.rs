//! `deo enqueue`: asks for recomputes.

use std::process::ExitCode;

use serde::Serialize;
use shared::clock::Clock;
use shared::config::{Config, ProcessEnv, Scope};
use shared::queue::{NewJob, Outcome as Added, Queue};
use shared::recompute::{JobData, Reason, recompute_job};
use shared::store::Store;
use shared::wake::Wake;

use super::queue::connect;
use super::{Failure, Outcome};
use crate::terminal;

/// Projects a page: one statement and one script call each.
const PAGE: u32 = 500;

/// Ask for recomputes, one job a project
///
/// A project for which a job waits already keeps that job. Projects that are named are asked for by
/// hand and go first; --all and --stale stand behind them, as the nightly recompute does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,

    /// Print what became of it as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// These projects.
    #[arg(long, value_name = "ID", num_args = 1..)]
    project: Vec<String>,

    /// All projects.
    #[arg(long)]
    all: bool,

    /// Projects never scored, with data newer than their score, or scored too long ago.
    #[arg(long)]
    stale: bool,
}

/// What became of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sums {
    enqueued: u64,
    deduplicated: u64,
    billed_commands: u64,
    round_trips: u64,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = Config::from_env(&ProcessEnv)?;
    let queue = connect(&config)?;
    let wake = Wake::new(&config.wake)?;
    let mut sums = Sums::default();
    if args.which.project.is_empty() {
        let scope = if args.which.all { Scope::All } else { Scope::Stale };
        walk(&config, &queue, &wake, scope, &mut sums).await?;
    } else {
        add(&queue, &wake, &args.which.project, Reason::Manual, &mut sums).await?;
    }
    wake.finish().await;
    let usage = queue.redis().usage();
    (sums.billed_commands, sums.round_trips) = (usage.billed, usage.round_trips);
    if args.json {
        terminal::say(serde_json::to_string(&sums)?)?;
    } else {
        terminal::say(format!(
            "{} enqueued, {} deduplicated (billed commands: {}, round trips: {})",
            sums.enqueued, sums.deduplicated, sums.billed_commands, sums.round_trips
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Walks the projects in `scope`, a page at a time.
async fn walk(
    config: &Config,
    queue: &Queue,
    wake: &Wake,
    scope: Scope,
    sums: &mut Sums,
) -> Result<(), Failure> {
    let url = config.database_url.as_ref().ok_or(drain::StartError::NoDatabase)?;
    let store = Store::new(url)?;
    let spinner = terminal::spinner("enqueueing");
    let mut place = None;
    loop {
        let page = store
            .projects_page(
                scope,
                place.as_deref(),
                PAGE,
                Clock::System.now_ms(),
                config.cron.max_age_days,
            )
            .await?;
        add(queue, wake, &page.ids, Reason::Scheduled, sums).await?;
        spinner.set_message(format!("enqueueing: {} so far", sums.enqueued + sums.deduplicated));
        place = page.next;
        if place.is_none() {
            spinner.finish_and_clear();
            return Ok(());
        }
    }
}

async fn add(
    queue: &Queue,
    wake: &Wake,
    projects: &[String],
    reason: Reason,
    sums: &mut Sums,
) -> Result<(), shared::queue::Error> {
    let job = |id: &String| {
        let data = JobData { project_id: id.clone(), triggered_by_user_id: None, reason };
        recompute_job(&data, queue.config())
    };
    let jobs: Vec<NewJob> = projects.iter().map(job).collect();
    let enqueued = queue.add(&jobs, None).await?;
    wake.ring(enqueued.first).await;
    for added in enqueued.added {
        match added.outcome {
            Added::Added => sums.enqueued += 1,
            _ => sums.deduplicated += 1,
        }
    }
    Ok(())
}
