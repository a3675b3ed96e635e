//! How a worker sleeps: on a connection of its own, blocked on BullMQ's marker; over REST by the clock.

use std::collections::HashSet;
use std::time::Duration;

use command::complain;
use drain::Drain;
use shared::engine::{Report, Stop, StoppedBecause};
use shared::queue::{Error, Queue};
use shared::redis::Limits;
use shared::store::Store;
use tokio::time::{Instant, sleep_until};

use crate::waits::{Waits, until};

/// How long the database's connection outlives the last job.
const DATABASE_IDLE: Duration = Duration::from_secs(5);

/// How long to wait while the queue is paused or as many jobs are active as it allows: a marker comes
/// when it is resumed, but not always when there is room.
const HELD_BACK: Duration = Duration::from_secs(5);

/// How long an answer may be late.
const SLACK: Duration = Duration::from_secs(10);

/// The time between two ticks.
pub(super) struct Sleep {
    queues: Vec<Queue>,
    store: Option<Store>,
    waits: Waits,
    every: Duration,
    /// When to close the database's connection, if that is open.
    close_at: Option<Instant>,
}

impl Sleep {
    pub(super) fn new(drain: &Drain, every: Duration) -> Self {
        let queues: Vec<Queue> = drain.queues().cloned().collect();
        let answer = every + SLACK;
        let limits = Limits { answer, call: answer + SLACK, ..Limits::default() };
        let over_tcp = queues.iter().filter(|queue| queue.redis().transport() == "tcp");
        let blocking = over_tcp.map(|queue| {
            // What blocks hears of a failover at once, and what peeks, over another connection, with it.
            queue.over(queue.redis().beside(limits, Some(queue.worker_name())))
        });
        let waits = Waits::new(blocking.collect());
        Self { queues, store: drain.store().cloned(), waits, every, close_at: None }
    }

    /// What people should know at the start.
    pub(super) fn describe(&self) -> String {
        let seconds = self.every.as_secs_f64();
        match self.waits.is_empty() {
            false => format!("working; woken by the queue's marker, and looking every {seconds} s"),
            true => format!(
                "working; REST cannot wait for jobs, so looking every {seconds} s: use REDIS_URL (TCP) \
                 to be woken"
            ),
        }
    }

    /// Makes the worker listed, for who does not sleep soon. At most a command a queue, over TCP.
    pub(super) async fn appear(&self) {
        self.waits.appear().await;
    }

    /// Sleeps until the next tick is worth its while, or `stop` asks for the end. A queue that failed is
    /// worth one after `retry_in`. After some seconds the database's connection is closed.
    pub(super) async fn until_work(
        &mut self,
        report: &Report,
        retry_in: Duration,
        stop: &Stop,
    ) -> Result<(), Error> {
        if report.batches > 0 {
            self.close_at = Some(Instant::now() + DATABASE_IDLE);
        }
        let mut limit = self.every;
        // No marker tells of a limit's end, and those of adds are for peers that may start. Nor does one
        // for what is put off, which stands there with its marker. The other queues are listened to.
        let mut deaf = HashSet::new();
        for (place, queue) in self.queues.iter().enumerate() {
            let report = report.queues.get(&queue.options().name).unwrap_or(report);
            if let Some(time) = held_back(report, retry_in) {
                limit = limit.min(time);
                deaf.insert(place);
                continue;
            }
            if matches!(report.stopped_because, StoppedBecause::Paused | StoppedBecause::Full) {
                limit = limit.min(HELD_BACK);
            }
            if may_hold_delayed(report) {
                limit = limit.min(until(queue.next_due_ms().await?));
            }
        }
        let waiting = self.waits.next(&deaf, limit);
        tokio::pin!(waiting);
        loop {
            let close_at = self.close_at.unwrap_or_else(Instant::now);
            tokio::select! {
                waited = &mut waiting => return waited,
                () = stop.asked() => return Ok(()),
                () = sleep_until(close_at), if self.close_at.is_some() => {
                    if let Some(store) = &self.store {
                        store.close().await;
                    }
                    self.close_at = None;
                }
            }
        }
    }

    /// Puts back the marker that this worker may have taken, for another one.
    pub(super) async fn leave(self) {
        if self.waits.is_empty() {
            return;
        }
        // Closed first: its BZPOPMIN may still be asked, and would take the marker away again.
        self.waits.close().await;
        for queue in &self.queues {
            if let Err(error) = queue.mark().await {
                complain(format!("deo: no marker was left for the next worker: {error}"));
            }
        }
    }
}

/// For how long nothing can be done in a queue after such a tick, whatever is added there; `None` where
/// something can.
fn held_back(report: &Report, retry_in: Duration) -> Option<Duration> {
    match (report.stopped_because, report.limited_ms) {
        (StoppedBecause::Error, _) => Some(retry_in),
        (StoppedBecause::Held, _) => Some(HELD_BACK),
        (StoppedBecause::Limited, left) => Some(Duration::from_millis(left.unwrap_or(0).max(1))),
        (_, left) => left.map(|left| Duration::from_millis(left.max(1))),
    }
}

/// Whether there may be jobs for later. What a tick did not count is unknown, but it looks no further only
/// where there is nothing but jobs that gather.
fn may_hold_delayed(report: &Report) -> bool {
    match report.remaining {
        Some(remaining) => remaining.delayed != Some(0),
        None => report.stopped_because != StoppedBecause::Gathering,
    }
}
