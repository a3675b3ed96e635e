//! One wait for work a queue, blocked on BullMQ's marker over a connection of its own.

use std::collections::HashSet;
use std::time::Duration;

use shared::clock::Clock;
use shared::queue::{Error, Queue, Waited};
use shared::redis::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// How long to try to be listed, before work goes on without.
const LISTED: Duration = Duration::from_secs(3);

/// How much longer than a wait of its own a sleep is, so that not both end it.
const TIE: Duration = Duration::from_millis(100);

/// How much sooner than asked Redis may end a wait, by its own clock.
const EARLY: Duration = Duration::from_millis(10);

/// The waits, at most one a queue. Those of the others go on while one has ended: a wait that is given
/// up may take a marker all the same, and nobody would hear of it.
pub(super) struct Waits {
    /// Each queue over a connection of its own that blocks; none over REST.
    queues: Vec<Queue>,
    tasks: JoinSet<(usize, Heard)>,
    /// The places of the queues that are waited for, or whose wait has ended unheard.
    places: HashSet<usize>,
}

/// What a wait has heard: when there is or will be work; `None` if nothing came.
type Heard = Result<Option<Instant>, Error>;

impl Waits {
    pub(super) fn new(queues: Vec<Queue>) -> Self {
        Self { queues, tasks: JoinSet::new(), places: HashSet::new() }
    }

    /// Whether no queue can be waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Opens the connections that block, for who does not sleep soon: they have the name by which BullMQ
    /// and dashboards list workers. A command a queue, except for those whose wait goes on: they are listed.
    pub(super) async fn appear(&self) {
        let mut pings = JoinSet::new();
        for (place, queue) in self.queues.iter().enumerate() {
            // A ping would stand behind the wait.
            if !self.places.contains(&place) {
                let redis = queue.redis().until(Instant::now() + LISTED);
                pings.spawn(async move { redis.call(Command::new("PING").replay_safe()).await });
            }
        }
        // A server that cannot be reached is what the tick tells of.
        while pings.join_next().await.is_some() {}
    }

    /// Waits until there is work in one of the queues, except for those at `deaf` places, or until the
    /// `limit` is over.
    pub(super) async fn next(
        &mut self,
        deaf: &HashSet<usize>,
        limit: Duration,
    ) -> Result<(), Error> {
        self.forget_failures();
        let mut end = Instant::now() + limit;
        while Instant::now() < end {
            for (place, queue) in self.queues.iter().enumerate() {
                if !deaf.contains(&place) && self.places.insert(place) {
                    let queue = queue.clone();
                    self.tasks.spawn(async move { (place, blocked(&queue, end).await) });
                }
            }
            let tie = if self.tasks.is_empty() { Duration::ZERO } else { TIE };
            tokio::select! {
                // None of them panics.
                Some(Ok((place, heard))) = self.tasks.join_next() => {
                    self.places.remove(&place);
                    match heard? {
                        // What was asked for in this sleep, or nearly so. One that began in a sleep before
                        // ends sooner, and says nothing: it begins anew.
                        None if end <= Instant::now() + EARLY => break,
                        None => {}
                        // It began before its queue was held back. Another worker may have more luck.
                        Some(_) if deaf.contains(&place) => self.queues[place].mark().await?,
                        Some(at) => end = end.min(at),
                    }
                }
                () = sleep_until(end + tie) => break,
            }
        }
        Ok(())
    }

    /// Drops the errors of waits that ended since the last sleep: Redis has answered a tick after that,
    /// and if it is gone again, new waits tell. Else one failure would be met once for each queue.
    fn forget_failures(&mut self) {
        let mut kept = Vec::new();
        while let Some(ended) = self.tasks.try_join_next() {
            match ended {
                Ok((place, Err(_))) => {
                    self.places.remove(&place);
                }
                Ok(other) => kept.push(other),
                Err(_) => {}
            }
        }
        for ended in kept {
            self.tasks.spawn(std::future::ready(ended));
        }
    }

    /// Ends all waits and closes the connections: a BZPOPMIN that is still asked could take a marker.
    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Sleeps until there is work: at once, or when the delayed job falls due that the marker tells of; at
/// most until `end`.
async fn blocked(queue: &Queue, end: Instant) -> Heard {
    let (mut end, mut heard) = (end, None::<Instant>);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(heard);
        }
        match queue.wait_for_work(left).await? {
            Waited::Work => return Ok(Some(Instant::now())),
            Waited::Long => return Ok(heard),
            Waited::Due(due) => {
                let due = Instant::now() + until(Some(due));
                heard = Some(heard.map_or(due, |before| before.min(due)));
                end = end.min(due);
            }
        }
    }
}

/// The time from now to `due`, in milliseconds since the epoch.
pub(super) fn until(due: Option<i64>) -> Duration {
    let left = due.map_or(i64::MAX, |due| due - Clock::System.now_ms());
    Duration::from_millis(u64::try_from(left).unwrap_or(0))
}
