//! How a worker sleeps: on a connection of its own, blocked on BullMQ's marker; over REST by the clock.

use std::collections::HashSet;
use std::time::Duration;

use drain::Drain;
use shared::clock::Clock;
use shared::config::{Config, Endpoint};
use shared::engine::{Report, Stop, StoppedBecause};
use shared::queue::{Error, Queue, Waited};
use shared::redis::{Command, Limits, Options, Redis};
use shared::store::Store;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How long the database's connection outlives the last job.
const DATABASE_IDLE: Duration = Duration::from_secs(5);

/// How long to wait while the queue is paused or as many jobs are active as it allows: a marker comes
/// when it is resumed, but not always when there is room.
const HELD_BACK: Duration = Duration::from_secs(5);

/// How long to try to be listed, before work goes on without.
const LISTED: Duration = Duration::from_secs(3);

/// How much longer than a wait of its own a sleep is, so that not both end it.
const TIE: Duration = Duration::from_millis(100);

/// How long an answer may be late.
const SLACK: Duration = Duration::from_secs(10);

/// The time between two ticks.
pub(super) struct Sleep {
    queues: Vec<Queue>,
    store: Option<Store>,
    /// Each queue over a connection of its own that blocks; none over REST.
    blocking: Vec<Queue>,
    waits: Waits,
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
        let queues: Vec<Queue> = drain.queues().cloned().collect();
        let answer = every + SLACK;
        let limits = Limits { answer, call: answer + SLACK, ..Limits::default() };
        let mut blocking = Vec::new();
        if let Some(redis @ Endpoint::Tcp { .. }) = &config.redis {
            for queue in &queues {
                let client_name = Some(queue.worker_name());
                let options = Options { limits, client_name, ..Options::default() };
                blocking.push(queue.over(Redis::with_options(redis, options)?));
            }
        }
        Ok(Self {
            queues,
            store: drain.store().cloned(),
            blocking,
            waits: Waits::default(),
            every,
            close_at: None,
        })
    }

    /// What people should know at the start.
    pub(super) fn describe(&self) -> String {
        let seconds = self.every.as_secs_f64();
        match self.blocking.is_empty() {
            false => format!("working; woken by the queue's marker, and looking every {seconds} s"),
            true => format!(
                "working; REST cannot wait for jobs, so looking every {seconds} s: use REDIS_URL (TCP) \
                 to be woken"
            ),
        }
    }

    /// Opens the connection that blocks, for who does not sleep soon: it has the name by which BullMQ
    /// and dashboards list workers. A command, over TCP.
    pub(super) async fn appear(&self) {
        for queue in &self.blocking {
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
        if report.remaining.is_some_and(|remaining| remaining.delayed != Some(0)) {
            for queue in &self.queues {
                limit = limit.min(until(queue.next_due_ms().await?));
            }
        }
        let held = report.stopped_because == StoppedBecause::Held;
        let waiting = async {
            // No marker tells of a limit's end, and those of adds are for peers that may start.
            // Nor does one for what is put off, which stands there with its marker.
            if self.blocking.is_empty() || report.limited_ms.is_some() || held {
                sleep(limit).await;
                return Ok(());
            }
            self.waits.next(&self.blocking, limit).await
        };
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
    pub(super) async fn leave(mut self) {
        // Closed first: its BZPOPMIN may still be asked, and would take the marker away again.
        self.waits.tasks.shutdown().await;
        if std::mem::take(&mut self.blocking).is_empty() {
            return;
        }
        for queue in &self.queues {
            if let Err(error) = queue.mark().await {
                eprintln!("deo: no marker was left for the next worker: {error}");
            }
        }
    }
}

/// One wait a queue. Those of the others go on while one has ended: a wait that is given up may take a
/// marker all the same, and nobody would hear of it.
#[derive(Default)]
struct Waits {
    tasks: JoinSet<(usize, Result<(), Error>)>,
    /// The places of the queues that are waited for.
    places: HashSet<usize>,
}

impl Waits {
    /// Waits until there is work in one of `queues`, at most for `limit`.
    async fn next(&mut self, queues: &[Queue], limit: Duration) -> Result<(), Error> {
        // A wait that goes on may have a later end than this one.
        let goes_on = !self.places.is_empty();
        for (place, queue) in queues.iter().enumerate() {
            if self.places.insert(place) {
                let queue = queue.clone();
                self.tasks.spawn(async move { (place, blocked(&queue, limit).await) });
            }
        }
        tokio::select! {
            // None of them panics.
            Some(Ok((place, woken))) = self.tasks.join_next() => {
                self.places.remove(&place);
                woken
            }
            () = sleep(limit + TIE), if goes_on => Ok(()),
            else => Ok(()),
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
