//! `deo explain`: how it is with a project's score, and what comes next.

use std::process::ExitCode;

use serde_json::{Value, json};
use shared::clock::{Clock, to_iso8601};
use shared::config::{Config, ProcessEnv};
use shared::deo::{Compared, Comparison, ROUNDING};
use shared::engine::{Alive, alive};
use shared::queue::{Hold, JobView, Lock, Queue, State};
use shared::store::Snapshot;

use super::history::{known, store};
use super::queue::jobs::{Filter, find};
use super::queue::{shown, span};
use crate::queue::connect;
use crate::terminal;
use crate::{Failure, Outcome};

/// Snapshots that are shown.
const SNAPSHOTS: u32 = 5;

/// Where a job of the project may be, in the order in which they matter.
const STATES: [State; 6] =
    [State::Active, State::Wait, State::Paused, State::Prioritized, State::Delayed, State::Failed];

/// Explain a project's score: its job, who works on it, its last snapshots, and what comes next
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project.
    project: String,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What the queue knows of the project.
#[derive(Default)]
struct Standing {
    job: Option<JobView>,
    lock: Option<Lock>,
    /// When the job falls due, if it is delayed: milliseconds since the epoch.
    due: Option<i64>,
    /// Another one follows when the job has ended.
    is_followed: bool,
    /// Why it cannot be claimed.
    hold: Option<Hold>,
    alive: Alive,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = Config::from_env(&ProcessEnv)?;
    let (queue, store) = (connect(&config)?, store(&config)?);
    let project = &args.project;
    known(&store, project).await?;
    let snapshots = store.history(project, None, SNAPSHOTS).await?.snapshots;
    let standing = look(&queue, project, snapshots.first()).await?;
    let now = Clock::System.now_ms();
    let next = next(&standing, now);
    let text = if args.json {
        object(project, &standing, &snapshots, &next).to_string()
    } else {
        page(project, &standing, &snapshots, &next, now)
    };
    terminal::say(text)?;
    Ok(ExitCode::SUCCESS)
}

async fn look(
    queue: &Queue,
    project: &str,
    newest: Option<&Snapshot>,
) -> Result<Standing, Failure> {
    let filter = Filter { project: Some(project.to_owned()), reason: None };
    let holder = queue.holder(project).await?;
    let mut job = match &holder {
        Some(holder) => queue.job(&holder.id).await?,
        None => None,
    };
    let mut due = None;
    if job.as_ref().is_none_or(|job| job.state.is_none() || job.state == Some(State::Completed)) {
        // A job of another producer's, or one that failed, stands for no later request.
        for state in STATES {
            if let Some(line) = find(queue, state, &filter, 0, 1).await?.pop() {
                job = queue.job(&line.id).await?;
                due = line.due;
                break;
            }
        }
    }
    // The project was scored since.
    let is_over = |job: &JobView| {
        let ended = job.fields.get("finishedOn").and_then(|at| at.parse::<i64>().ok());
        let is_before = ended.zip(newest).is_some_and(|(at, it)| at < it.computed_at_ms);
        job.state == Some(State::Failed) && is_before
    };
    job = job.filter(|job| !is_over(job));
    let is_delayed = job.as_ref().is_some_and(|job| job.state == Some(State::Delayed));
    if is_delayed && due.is_none() {
        due = find(queue, State::Delayed, &filter, 0, 1).await?.pop().and_then(|line| line.due);
    }
    let lock = match &job {
        Some(job) => queue.lock(&job.id).await?,
        None => None,
    };
    Ok(Standing {
        is_followed: holder.is_some_and(|holder| holder.is_followed),
        // It is about a job that may wait.
        hold: queue.hold(&queue.limits().await?, true).await?,
        alive: alive(queue).await?,
        job,
        lock,
        due,
    })
}

/// What will happen next, and when.
fn next(standing: &Standing, now: i64) -> String {
    let ago = |at: i64| span::shown(now.saturating_sub(at));
    let tick = match standing.alive.last_seen {
        Some(at) => format!("the next tick takes it (a drain was last seen {} ago)", ago(at)),
        None => {
            "the next tick takes it, but no drain was seen yet, or none for a day: see that one runs".to_owned()
        }
    };
    let when = match standing.hold {
        Some(Hold::Paused) => "nothing until deo queue resume: the queue is paused".to_owned(),
        Some(hold) => format!("the queue is {hold}; then {tick}"),
        None => tick,
    };
    let follows = if standing.is_followed { "; another job of the project follows it" } else { "" };
    match standing.job.as_ref().and_then(|job| job.state) {
        Some(State::Active) => match &standing.lock {
            Some(Lock { left_ms: Some(left), .. }) => format!(
                "its owner ends it, or keeps its lock; if neither, the lock runs out in {} and a later tick \
                 gives the job back{follows}",
                span::shown(i64::try_from(*left).unwrap_or(i64::MAX))
            ),
            Some(_) => format!("its owner ends it: its lock never runs out{follows}"),
            None => format!("its owner is gone; the next tick gives the job back{follows}"),
        },
        Some(State::Wait | State::Paused) => format!("{when}{follows}"),
        Some(State::Prioritized) => format!("{when}, behind the jobs without a priority{follows}"),
        Some(State::Delayed) => {
            let due = standing.due.unwrap_or(now);
            format!("it falls due in {}; then {when}{follows}", span::shown(due - now))
        }
        Some(State::WaitingChildren) => "it waits for the jobs that it consists of".to_owned(),
        Some(State::Failed) => {
            "nothing: it failed for good; deo queue retry tries it again, and deo enqueue \
                                --project asks anew"
                .to_owned()
        }
        Some(State::Completed) | None => {
            "nothing: no job of it waits; the nightly round asks for one where the \
                                          score is stale, deo enqueue --project at once"
                .to_owned()
        }
    }
}

fn compared(snapshot: &Snapshot) -> Compared<'_> {
    let Snapshot { overall, content, entities, technical, visibility, metadata, .. } = snapshot;
    Compared {
        overall: *overall,
        components: [*content, *entities, *technical, *visibility],
        metadata: metadata.as_ref().map(|json| json.get()),
    }
}

/// Why the newest snapshot differs from the one before it.
fn change(snapshots: &[Snapshot]) -> Option<Comparison> {
    let [to, from, ..] = snapshots else { return None };
    Some(Comparison::of(compared(from), compared(to)))
}

fn object(project: &str, standing: &Standing, snapshots: &[Snapshot], next: &str) -> Value {
    let job = standing.job.as_ref().map(|job| {
        json!({"id": job.id, "state": State::told(job.state), "fields": job.fields,
            "lock": standing.lock, "isFollowed": standing.is_followed})
    });
    let snapshots_shown: Vec<Value> = snapshots
        .iter()
        .map(|it| json!({"id": it.id, "computedAt": to_iso8601(it.computed_at_ms), "overall": it.overall}))
        .collect();
    json!({"projectId": project, "job": job, "next": next, "snapshots": snapshots_shown,
        "change": change(snapshots)})
}

fn page(
    project: &str,
    standing: &Standing,
    snapshots: &[Snapshot],
    next: &str,
    now: i64,
) -> String {
    let ago = |at: i64| span::shown(now.saturating_sub(at)) + " ago";
    let mut table = terminal::table(&["project", &shown::line(project, 120)], &[]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), shown::line(&value, 400)]);
    };
    row(
        "score",
        snapshots.first().map_or_else(
            || "none yet".to_owned(),
            |it| format!("{}, from {}", it.overall, ago(it.computed_at_ms)),
        ),
    );
    match &standing.job {
        None => row("job", "none".to_owned()),
        Some(job) => {
            let field = |name: &str| job.fields.get(name).map(String::as_str);
            let ms = |name: &str| field(name)?.parse::<f64>().ok().map(|ms| ms as i64);
            row("job", format!("{} ({})", job.id, State::told(job.state)));
            if let Some(at) = ms("timestamp") {
                row("added", ago(at));
            }
            if let Some(reason) = field("failedReason") {
                row("failed with", reason.to_owned());
            }
        }
    }
    if let Some(Lock { owner, left_ms, .. }) = &standing.lock {
        let left = left_ms.and_then(|ms| i64::try_from(ms).ok());
        let left = left
            .map_or_else(|| "for ever".to_owned(), |ms| format!("for another {}", span::shown(ms)));
        row("locked by", format!("{owner}, {left}"));
    }
    row("next", next.to_owned());
    if let Some(change) = change(snapshots) {
        row("last change", format!("{:+}{}", change.change, why(&change)));
        for count in change.counts.iter().flatten().filter_map(|count| count.text.clone()) {
            row("", count);
        }
    }
    let mut past = terminal::table(&["snapshot", "computed", "score"], &[2]);
    for it in snapshots {
        past.add_row([it.id.clone(), ago(it.computed_at_ms), it.overall.to_string()]);
    }
    terminal::fit(&mut table);
    if snapshots.is_empty() { table.to_string() } else { format!("{table}\n\n{past}") }
}

/// `: content -3.9, visibility -0.4`, the greatest part first.
fn why(change: &Comparison) -> String {
    let mut parts: Vec<(&str, i64)> = change
        .components
        .iter()
        .filter_map(|it| Some((it.key, it.tenths.filter(|&tenths| tenths != 0)?)))
        .collect();
    parts.sort_by_key(|&(key, tenths)| (key == ROUNDING, -tenths.abs()));
    let text = |(key, tenths): (&str, i64)| format!("{key} {:+.1}", tenths as f64 / 10.0);
    let parts: Vec<String> = parts.into_iter().map(text).collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}
