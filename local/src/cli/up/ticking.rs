//! The drain as a schedule would run it, only more often.

use std::io;
use std::time::Duration;

use drain::{Drain, StartError};
use shared::clock::Clock;
use shared::config::Config;
use shared::engine::{Report, StoppedBecause};
use shared::queue::{JobLine, Queue, State};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cli::queue::{jobs, shown};
use crate::terminal::say;

/// Jobs whose reasons are told after a tick, of each kind.
const REASONS: u64 = 5;

/// Delayed jobs among which those are looked for that were just tried.
const LOOKED_AT: u64 = 100;

/// A drain that ticks.
pub(super) struct Ticking {
    stopping: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Starts ticking; with `tell`, lines say what a tick did that did something, and why jobs failed.
pub(super) fn start(config: &Config, every: Duration, tell: bool) -> Result<Ticking, StartError> {
    let drain = Drain::new(config)?.living_long();
    let timeout = config.drain.timeout;
    let (stopping, mut stop) = watch::channel(false);
    let task = tokio::spawn(async move {
        let mut interval = interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble = None;
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                _ = stop.changed() => return,
            }
            let began_ms = Clock::System.now_ms();
            let report = drain.tick(Instant::now() + timeout).await;
            if tell {
                // Whoever closed our stdout still wants the drain to tick.
                let _ = line(&report, &mut trouble);
                for queue in drain.queues() {
                    // Of one queue the tick's report is its own.
                    let report = report.queues.get(&queue.options().name).unwrap_or(&report);
                    let _ = reasons(queue, report, began_ms).await;
                }
            }
        }
    });
    Ok(Ticking { stopping, task })
}

impl Ticking {
    /// Lets the tick under way finish, and ends.
    pub(super) async fn stop(self) {
        self.stopping.send_replace(true);
        // An error is a panic, which has been printed already.
        let _ = self.task.await;
    }
}

/// What a tick did. `trouble` is why the one before failed, which is not said again of the next.
fn line(report: &Report, trouble: &mut Option<String>) -> io::Result<()> {
    if report.stopped_because == StoppedBecause::Error {
        let reason = report.error.clone().unwrap_or_else(|| "for no known reason".to_owned());
        if trouble.as_ref() != Some(&reason) {
            say(format!("drain: the tick failed: {reason}"))?;
            *trouble = Some(reason);
        }
        return Ok(());
    }
    if trouble.take().is_some() {
        say("drain: ticking again")?;
    }
    if report.claimed == 0 {
        return Ok(());
    }
    say(format!(
        "drain: {} completed, {} failed, {} retried in {} ms; {} billed commands",
        report.completed, report.failed, report.retried, report.duration_ms, report.billed_commands
    ))
}

/// Why jobs of a queue failed in the tick that began then: some of them.
async fn reasons(queue: &Queue, report: &Report, began_ms: i64) -> Result<(), crate::Failure> {
    let since = |at: Option<i64>| at.is_some_and(|at| at >= began_ms);
    if report.failed > 0 {
        // The newest are first.
        let failed = queue.jobs(State::Failed, 0, report.failed.min(REASONS)).await?;
        for job in failed.iter().filter(|job| since(job.finished_on)) {
            say(reason("failed", job))?;
        }
    }
    if report.retried > 0 {
        let delayed = queue.jobs(State::Delayed, 0, LOOKED_AT).await?;
        let tried = delayed.iter();
        let tried = tried.filter(|job| job.failed_reason.is_some() && since(job.processed_on));
        for job in tried.take(report.retried.min(REASONS) as usize) {
            say(reason("to be tried again", job))?;
        }
    }
    Ok(())
}

/// `  failed: job 7 of project p1: ...`.
fn reason(what: &str, job: &JobLine) -> String {
    let of =
        jobs::project(job).map_or_else(String::new, |project| format!(" of project {project}"));
    let reason = job.failed_reason.as_deref().unwrap_or("no reason given");
    shown::line(&format!("  {what}: job {}{of}: {reason}", job.id), 400)
}
