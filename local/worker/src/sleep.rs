//! How a worker sleeps: on a connection of its own, blocked on BullMQ's marker; over REST by the clock.

use std::time::Duration;

use drain::Drain;
use shared::clock::Clock;
use shared::config::{Config, Endpoint};
use shared::engine::{Report, Stop, StoppedBecause};
use shared::queue::{Error, Queue, Waited};
use shared::redis::{Command, Limits, Options, Redis};
use shared::store::Store;
use tokio::time::{Instant, sleep, sleep_until};

/// How long the database's connection outlives the last job.
const DATABASE_IDLE: Duration = Duration::from_secs(5);

/// How long to wait while the queue is paused or as many jobs are active as it allows: a marker comes
/// when it is resumed, but not always when there is room.
const HELD_BACK: Duration = Duration::from_secs(5);

/// How long to try to be listed, before work goes on without.
const LISTED: Duration = Duration::from_secs(3);

/// How long an answer may be late.
const SLACK: Duration = Duration::from_secs(10);

/// The time between two ticks.
pub(super) struct Sleep {
    queue: Queue,
    store: Store,
    /// The queue over the connection that blocks; `None` over REST.
    blocking: Option<Queue>,
    every: Duration,
    /// When to close the database's connection, if that is open.
    close_at: Option<Instant>,
}

impl Sleep {
    pub(super) fn new(
        config: &Config,
        drain: &Drain,
        every: Duration,
    ) -> Result<Self, shared::redis::Error> {
        let (queue, store) = (drain.queue().clone(), drain.store().clone());
        let answer = every + SLACK;
        let limits = Limits { answer, call: answer + SLACK, ..Limits::default() };
        let blocking = match &config.redis {
            Some(redis @ Endpoint::Tcp { .. }) => {
                let client_name = Some(queue.worker_name());
                let options = Options { limits, client_name, ..Options::default() };
                Some(queue.over(Redis::with_options(redis, options)?))
            }
            _ => None,
        };
        Ok(Self { queue, store, blocking, every, close_at: None })
    }

    /// What people should know at the start.
    pub(super) fn describe(&self) -> String {
        let seconds = self.every.as_secs_f64();
        match self.blocking {
            Some(_) => {
                format!("working; woken by the queue's marker, and looking every {seconds} s")
            }
            None => format!(
                "working; REST cannot wait for jobs, so looking every {seconds} s: use REDIS_URL (TCP) \
                 to be woken"
            ),
        }
    }

    /// Opens the connection that blocks, for who does not sleep soon: it has the name by which BullMQ
    /// and dashboards list workers. A command, over TCP.
    pub(super) async fn appear(&self) {
        if let Some(queue) = &self.blocking {
            let redis = queue.redis().until(Instant::now() + LISTED);
            // A server that cannot be reached is what the tick tells of.
            let _ = redis.call(Command::new("PING").replay_safe()).await;
        }
    }

    /// Sleeps until the next tick is worth its while, or `stop` asks for the end. After some seconds
    /// the database's connection is closed.
    pub(super) async fn until_work(&mut self, report: &Report, stop: &Stop) -> Result<(), Error> {
        if report.batches > 0 {
            self.close_at = Some(Instant::now() + DATABASE_IDLE);
        }
        let mut limit = self.every;
        match report.stopped_because {
            StoppedBecause::Paused | StoppedBecause::Full | StoppedBecause::Held => {
                limit = limit.min(HELD_BACK);
            }
            StoppedBecause::Limited => {
                let left = report.limited_ms.unwrap_or(0).max(1);
                limit = limit.min(Duration::from_millis(left));
            }
            _ => {}
        }
        if report.remaining.is_some_and(|remaining| remaining.delayed > 0) {
            limit = limit.min(until(self.queue.next_due_ms().await?));
        }
        let held = report.stopped_because == StoppedBecause::Held;
        let waiting = async {
            match &self.blocking {
                // No marker tells of a limit's end, and those of adds are for peers that may start.
                // Nor does one for what is put off, which stands there with its marker.
                Some(queue) if report.limited_ms.is_none() && !held => blocked(queue, limit).await,
                _ => {
                    sleep(limit).await;
                    Ok(())
                }
            }
        };
        tokio::pin!(waiting);
        loop {
            let close_at = self.close_at.unwrap_or_else(Instant::now);
            tokio::select! {
                waited = &mut waiting => return waited,
                () = stop.asked() => return Ok(()),
                () = sleep_until(close_at), if self.close_at.is_some() => {
                    self.store.close().await;
                    self.close_at = None;
                }
            }
        }
    }

    /// Puts back the marker that this worker may have taken, for another one.
    pub(super) async fn leave(mut self) {
        // Closed first: its BZPOPMIN may still be asked, and would take the marker away again.
        if self.blocking.take().is_some()
            && let Err(error) = self.queue.mark().await
        {
            eprintln!("deo: no marker was left for the next worker: {error}");
        }
    }
}

/// Sleeps until there is work: at once, or when the delayed job falls due that the marker tells of.
async fn blocked(queue: &Queue, limit: Duration) -> Result<(), Error> {
    let mut end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        match queue.wait_for_work(left).await? {
            Waited::Work | Waited::Long => return Ok(()),
            Waited::Due(due) => end = end.min(Instant::now() + until(Some(due))),
        }
    }
}

/// The time from now to `due`, in milliseconds since the epoch.
fn until(due: Option<i64>) -> Duration {
    let left = due.map_or(i64::MAX, |due| due - Clock::System.now_ms());
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}
