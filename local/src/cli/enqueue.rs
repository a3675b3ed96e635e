//! `deo enqueue`: asks for recomputes.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use shared::config::{Config, ProcessEnv, Scope};
use shared::queue::{NewJob, Outcome as Added, Queue};
use shared::recompute::{JobData, Reason, Timing, recompute_job};
use shared::store::{Database, ProjectId, Store, Stretch};
use shared::wake::Wake;
use tokio::time::timeout;

use super::queue::{shown, span};
use crate::queue::connect;
use crate::terminal;
use crate::{Failure, Outcome};

/// Projects a page: one statement and one script call each.
const PAGE: u32 = 500;

/// How long the database may take to say which projects it has.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ask for recomputes, one job a project
///
/// A project for which a job waits already keeps that job. Projects that are named are asked for by
/// hand and go first; --all and --stale stand behind them, as the nightly recompute does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    when: When,

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

    /// Projects never scored, scored too long ago, or with data that their score may lack.
    #[arg(long)]
    stale: bool,
}

#[derive(Debug, clap::Args)]
struct When {
    /// Let the jobs wait so long before their turn, such as 90s, 30m or 7d; at most 30d.
    #[arg(long, value_name = "SPAN", value_parser = delay, default_value = "0")]
    delay: Duration,

    /// For so long a job stands for later requests for its project, even after it has ended; at most
    /// 30d. Without it, until it has ended.
    #[arg(long, value_name = "SPAN", value_parser = window)]
    dedup_ttl: Option<Duration>,

    /// Where a project has such a job, begin its time anew.
    #[arg(long, requires = "dedup_ttl")]
    dedup_extend: bool,

    /// Where a project has a job that is still delayed, take its place; the time that runs goes on,
    /// unless --dedup-extend begins it anew.
    #[arg(long)]
    dedup_replace: bool,
}

impl From<When> for Timing {
    fn from(when: When) -> Self {
        Self {
            delay: when.delay,
            window: when.dedup_ttl,
            extend: when.dedup_extend,
            replace: when.dedup_replace,
        }
    }
}

fn delay(text: &str) -> Result<Duration, String> {
    let delay = span::parse(text)?;
    let valid = Timing { delay, ..Timing::default() }.is_valid();
    valid.then_some(delay).ok_or_else(|| "a delay is at most 30d".to_owned())
}

fn window(text: &str) -> Result<Duration, String> {
    let window = span::parse(text)?;
    let valid = Timing { window: Some(window), ..Timing::default() }.is_valid();
    valid.then_some(window).ok_or_else(|| "the time is 1ms to 30d".to_owned())
}

/// Where the jobs go, and how.
struct Target<'a> {
    queue: &'a Queue,
    wake: &'a Wake,
    timing: Timing,
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
    let target = Target { queue: &queue, wake: &wake, timing: args.when.into() };
    let mut sums = Sums::default();
    if args.which.project.is_empty() {
        let scope = if args.which.all { Scope::All } else { Scope::Stale };
        walk(&config, &target, scope, &mut sums).await?;
    } else {
        add(&target, &args.which.project, Reason::Manual, &mut sums).await?;
        // Until its turn a project may be there.
        if target.timing.delay.is_zero() {
            tell_unknown(&config, &args.which.project).await;
        }
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

/// Says which of these projects the database does not have: their jobs are going to fail. Says nothing where no
/// database is configured, or it does not tell in time.
async fn tell_unknown(config: &Config, projects: &[String]) {
    let Ok(Some(database)) = Database::configured(config) else { return };
    let store = Store::over(database);
    // Where its time is over, the jobs are in the queue all the same.
    let Ok(Ok(known)) = timeout(PATIENCE, store.existing_projects(projects)).await else { return };
    for project in projects.iter().filter(|project| !known.contains(*project)) {
        let name = shown::line(project, 120);
        terminal::note(format!("deo: the database has no project {name}: its job will fail"));
    }
}

/// Walks the projects in `scope`, a page at a time.
async fn walk(
    config: &Config,
    target: &Target<'_>,
    scope: Scope,
    sums: &mut Sums,
) -> Result<(), Failure> {
    let database = Database::configured(config)?.ok_or(drain::StartError::NoDatabase)?;
    let store = Store::over(database);
    let spinner = terminal::spinner("enqueueing");
    let mut place = None;
    loop {
        let page = store
            .projects_page(
                scope,
                Stretch { after: place.as_deref(), until: None, look_at: PAGE, take: PAGE },
                config.cron.max_age_days,
            )
            .await?;
        add(target, &page.ids, Reason::Scheduled, sums).await?;
        spinner.set_message(format!("enqueueing: {} so far", sums.enqueued + sums.deduplicated));
        place = page.next;
        if place.is_none() {
            spinner.finish_and_clear();
            return Ok(());
        }
    }
}

async fn add(
    Target { queue, wake, timing }: &Target<'_>,
    projects: &[String],
    reason: Reason,
    sums: &mut Sums,
) -> Result<(), Failure> {
    let job = |id: &String| {
        let id = ProjectId::parse(id.as_str()).map_err(|error| format!("{id:?}: {error}"))?;
        let mut job = recompute_job(&JobData::new(id, reason), queue.options());
        timing.apply(&mut job);
        Ok(job)
    };
    let jobs = projects.iter().map(job).collect::<Result<Vec<NewJob>, String>>()?;
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
