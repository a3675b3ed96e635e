//! One queue in one tick: batches until nothing is left, the time is nearly up, or something is in the
//! way.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use batchmq::clock::Clock;
use batchmq::{Error, Occupied, Queue};
use batchmq_redis::ErrorKind;
use futures_util::future::{Either, select};
use tokio::time::Instant;
use tracing::warn;

use crate::counters::Counters;
use crate::erased::{AnyHandler, BoxError};
use crate::look::Seen;
use crate::pace::Pace;
use crate::report::{Remaining, Report, StoppedBecause};
use crate::stop::Stop;
use crate::ticker::TickOptions;
use crate::turns::Turns;

/// Ticks that follow one another sooner look after schedules once in this time: as often as stalled
/// jobs are looked for.
const SCHEDULES_EVERY: Duration = Duration::from_secs(30);

/// Why a queue cannot be worked on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Redis, or what it said.
    Queue(Arc<Error>),
    /// The handler.
    Handler(BoxError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Queue(Arc::new(error))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue(error) => error.fmt(f),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

/// One queue in a tick under way. Its lanes share it.
pub(crate) struct Line<'a> {
    pub(crate) queue: Queue,
    pub(crate) handler: &'a dyn AnyHandler,
    pub(crate) clock: &'a Clock,
    pub(crate) stop: &'a Stop,
    pub(crate) options: &'a TickOptions,
    pub(crate) schedules_at: &'a Mutex<Option<Instant>>,
    /// Its place among the tick's queues.
    pub(crate) place: usize,
    pub(crate) turns: &'a Turns,
    /// No claim after this moment, and no batch is worked on past it.
    pub(crate) claim_until: Instant,
    /// When the locks of all its jobs end: so long after its deadline that no late write finds one gone.
    pub(crate) locked_until: Instant,
    /// Whether jobs with a priority are told apart, as those that nobody waits for.
    pub(crate) is_patient: bool,
    /// Whether they are left to gather as the tick begins.
    pub(crate) gathers_at_first: bool,
    pub(crate) counters: Mutex<Counters>,
    pub(crate) state: Mutex<State>,
}

/// What changes while a queue is worked on.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) report: Report,
    pub(crate) pace: Pace,
    /// Jobs that this tick has postponed: it does not begin them again.
    pub(crate) postponed: HashSet<String>,
    /// Whether somebody waits for what is claimed next, as far as is known.
    pub(crate) awaited: bool,
    /// Whether jobs with a priority are left to gather.
    pub(crate) gathers: bool,
    /// What the last settlement left, where it told.
    pub(crate) left: Option<Occupied>,
}

impl Line<'_> {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works through the queue, in which `seen` was found, and says why that ended.
    pub(crate) async fn run(&self, seen: Seen) -> Result<StoppedBecause, Failure> {
        let seen = match seen.is_told {
            true => match self.rush(seen).await? {
                ControlFlow::Continue(seen) => seen,
                ControlFlow::Break(reason) => return Ok(reason),
            },
            false => seen,
        };
        let Seen { mut occupied, mut is_due, .. } = seen;
        if occupied.schedulers && self.reschedule().await {
            (occupied, is_due) = (self.queue.peek().await?, None);
        }
        if occupied.is_empty() {
            self.state().report.remaining = Some(Remaining::NONE);
            return Ok(StoppedBecause::Empty);
        }
        if self.gathers() && occupied.is_only_prioritized() {
            return Ok(StoppedBecause::Gathering);
        }
        if self.handler.is_resting() {
            return self.leave(occupied, StoppedBecause::Held).await;
        }
        let mut recovered = occupied.active && self.recover().await?;
        let mut is_fresh = true;
        loop {
            let has_work = self.is_waiting(occupied) || occupied.paused || recovered;
            let has_work = has_work
                || match is_due.take() {
                    Some(is_due) => is_due,
                    None => self.is_due(occupied).await?,
                };
            if !has_work {
                break;
            }
            let found = self.found();
            let stopped = self.drain(occupied, recovered).await?;
            if let Some(reason) = stopped {
                let seen = (is_fresh && found == self.found()).then_some(occupied);
                let Some(held) = self.outwait(reason, seen).await? else {
                    return self.stop(reason).await;
                };
                (occupied, recovered, is_fresh) = (held, false, false);
                continue;
            }
            // That one sum tells six keys apart is Redis' documented answer to a repeated key. Should a
            // server count each key once, a lone `active` would look like `wait`: nothing to claim
            // is then the hint to look for stalled jobs after all.
            let surprised = found == self.found() && !recovered;
            recovered = surprised && self.is_waiting(occupied) && self.recover().await?;
            occupied = self.look_again(occupied, recovered).await?;
            is_fresh = true;
            if surprised && !recovered {
                break;
            }
        }
        if occupied.is_future() && self.found() == 0 {
            // How many there are is worth no command.
            self.state().report.remaining = Some(Remaining { delayed: None, ..Remaining::NONE });
            return Ok(StoppedBecause::Empty);
        }
        let gathers = self.gathers() && occupied.prioritized;
        let reason = if gathers { StoppedBecause::Gathering } else { StoppedBecause::Empty };
        self.leave(occupied, reason).await
    }

    /// Claims what somebody said is waiting, without a look before, while the handler gets ready; returns what
    /// is seen then, or why the tick ends. Where nothing was to be had, all is as if nothing had been said.
    async fn rush(&self, told: Seen) -> Result<ControlFlow<StoppedBecause, Seen>, Failure> {
        let mut occupied = None;
        if !self.handler.is_resting() {
            let work = pin!(self.drain(told.occupied, false));
            let stopped = match self.gathers() {
                // What the handler needs may sleep on.
                true => work.await,
                false => match select(work, self.handler.prepare()).await {
                    Either::Left((stopped, _)) => stopped,
                    Either::Right(((), work)) => work.await,
                },
            };
            if let Some(reason) = stopped?
                && (self.found() > 0 || reason == StoppedBecause::Deadline)
            {
                occupied = self.outwait(reason, None).await?;
                if occupied.is_none() {
                    return self.stop(reason).await.map(ControlFlow::Break);
                }
            }
        }
        let occupied = match occupied {
            Some(occupied) => occupied,
            None => {
                self.state().report.limited_ms = None;
                self.look_again(Occupied::default(), false).await?
            }
        };
        Ok(ControlFlow::Continue(Seen { occupied, ..Seen::default() }))
    }

    /// Returns what the queue holds now, after it held `before`: what the last settlement told, which costs
    /// nothing, if that was the last thing that was done.
    async fn look_again(&self, before: Occupied, recovered: bool) -> Result<Occupied, Failure> {
        let left = self.state().left.take();
        match left.filter(|_| !recovered) {
            Some(left) => Ok(Occupied { schedulers: before.schedulers, ..left }),
            None => Ok(self.queue.peek().await?),
        }
    }

    fn gathers(&self) -> bool {
        self.state().gathers
    }

    /// Whether a job is there that this tick would claim, unless the queue is paused.
    pub(crate) fn is_waiting(&self, occupied: Occupied) -> bool {
        occupied.wait || (occupied.prioritized && !self.gathers())
    }

    /// Ends work that something stopped: asks what is left, and for how long it has waited.
    async fn stop(&self, reason: StoppedBecause) -> Result<StoppedBecause, Failure> {
        let occupied = self.queue.peek().await?;
        let now = self.clock.now_ms();
        let prioritized = occupied.prioritized && !self.is_patient;
        let awaited = Occupied { prioritized, ..occupied };
        if let Some(oldest) = self.queue.oldest_waiting_ms(awaited).await? {
            self.state().report.waited(oldest, now);
        }
        if self.is_patient && occupied.prioritized {
            let gathered = Occupied { prioritized: true, ..Occupied::default() };
            if let Some(oldest) = self.queue.oldest_waiting_ms(gathered).await? {
                self.state().report.gathered(oldest, now);
            }
        }
        self.leave(occupied, reason).await
    }

    async fn leave(
        &self,
        occupied: Occupied,
        reason: StoppedBecause,
    ) -> Result<StoppedBecause, Failure> {
        let left = self.queue.counts_of(occupied).await?;
        self.state().report.remaining = Some(left.into());
        Ok(reason)
    }

    /// Whether a delayed job has fallen due.
    async fn is_due(&self, occupied: Occupied) -> Result<bool, Failure> {
        if !occupied.delayed {
            return Ok(false);
        }
        let due = self.queue.next_due_ms().await?;
        Ok(due.is_some_and(|due| due <= self.clock.now_ms()))
    }

    /// Whether next jobs of schedulers were put back. That schedules cannot be looked after keeps no
    /// job from being done.
    async fn reschedule(&self) -> bool {
        if let Ok(mut at) = self.schedules_at.lock() {
            if at.is_some_and(|at| at.elapsed() < SCHEDULES_EVERY) {
                return false;
            }
            *at = Some(Instant::now());
        }
        match self.queue.reschedule().await {
            Ok(done) => {
                let report = &mut self.state().report;
                report.rescheduled += done.schedules.len() as u64;
                report.unscheduled += done.unscheduled.len() as u64;
                !done.schedules.is_empty()
            }
            Err(error) => {
                warn!(%error, "schedules cannot be looked after");
                false
            }
        }
    }

    /// Whether jobs of dead owners came back.
    async fn recover(&self) -> Result<bool, Failure> {
        let recovered = match self.queue.recover().await {
            // A full Redis refuses this, and lets batches be worked off all the same.
            Err(Error::Redis(error)) if *error.kind() == ErrorKind::Server("OOM".to_owned()) => {
                warn!(%error, "stalled jobs have to wait");
                return Ok(false);
            }
            recovered => recovered?,
        };
        self.state().report.recovered += recovered.ids.len() as u64;
        self.miss(&recovered.missing);
        if !recovered.ids.is_empty() {
            warn!(jobs = recovered.ids.len(), doomed = recovered.doomed.len(), "jobs had stalled");
        }
        Ok(!recovered.ids.is_empty())
    }

    /// What claims have taken out of the queue so far.
    fn found(&self) -> u64 {
        let report = &self.state().report;
        report.claimed + report.missing + report.unscheduled
    }

    pub(crate) fn miss(&self, ids: &[String]) {
        self.state().report.missing += ids.len() as u64;
        for id in ids {
            warn!(job = id.as_str(), "an id stood in the queue without a job behind it");
        }
    }

    /// Whether the next batch would not fit into the time that is left.
    pub(crate) fn is_late(&self) -> bool {
        self.stop.is_asked() || self.state().pace.is_late(self.left())
    }

    pub(crate) fn left(&self) -> Duration {
        self.claim_until.saturating_duration_since(Instant::now())
    }
}
