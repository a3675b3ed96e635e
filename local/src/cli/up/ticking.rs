//! The drain as a schedule would run it, only more often.

use std::io;
use std::time::Duration;

use drain::{Drain, StartError};
use shared::config::Config;
use shared::engine::{Report, StoppedBecause};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::terminal::say;

/// A drain that ticks.
pub(super) struct Ticking {
    stopping: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Starts ticking; with `tell`, a line says what a tick did that did something.
pub(super) fn start(config: &Config, every: Duration, tell: bool) -> Result<Ticking, StartError> {
    let drain = Drain::new(config)?;
    let timeout = config.drain.timeout;
    let (stopping, mut stop) = watch::channel(false);
    let task = tokio::spawn(async move {
        let mut interval = interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                _ = stop.changed() => return,
            }
            let report = drain.tick(Instant::now() + timeout).await;
            // Whoever closed our stdout still wants the drain to tick.
            let _ = if tell { line(&report) } else { Ok(()) };
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

fn line(report: &Report) -> io::Result<()> {
    if report.stopped_because == StoppedBecause::Error {
        let reason = report.error.as_deref().unwrap_or("for no known reason");
        return say(format!("drain: the tick failed: {reason}"));
    }
    if report.claimed == 0 {
        return Ok(());
    }
    say(format!(
        "drain: {} completed, {} failed, {} retried in {} ms; {} billed commands",
        report.completed, report.failed, report.retried, report.duration_ms, report.billed_commands
    ))
}
