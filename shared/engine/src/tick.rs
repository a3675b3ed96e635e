//! One tick: batches until nothing is left, the time is nearly up, or something is in the way.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use batchmq::clock::{Clock, millis};
use batchmq::{
    Claim, ClaimRequest, ClaimStatus, ClaimedJob, Code, Error, Occupied, Queue, Settled, Settlement,
};
use batchmq_redis::ErrorKind;
use tokio::time::Instant;
use tracing::{Instrument as _, info, info_span, warn};

use crate::batch::{Handled, handle};
use crate::counters::Counters;
use crate::handler::{Context, Handler};
use crate::refused::end_refused;
use crate::report::{Report, StoppedBecause};
use crate::stop::Stop;
use crate::traced::Traced;

/// Ticks that follow one another sooner look after schedules once in this time: as often as stalled
/// jobs are looked for.
const SCHEDULES_EVERY: Duration = Duration::from_secs(30);

/// Why a tick cannot go on.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// Redis, or what it said.
    Queue(Error),
    /// The handler.
    Handler(E),
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Queue(error)
    }
}

impl<E: std::fmt::Display> std::fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queue(error) => error.fmt(f),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

/// One tick under way.
pub(crate) struct Tick<'a, H> {
    pub(crate) queue: Queue,
    pub(crate) handler: &'a H,
    pub(crate) clock: &'a Clock,
    pub(crate) stop: &'a Stop,
    pub(crate) counters: &'a Mutex<Counters>,
    /// Jobs a batch.
    pub(crate) batch_size: u32,
    pub(crate) schedules_at: &'a Mutex<Option<Instant>>,
    /// No claim after this moment, and no batch is worked on past it.
    pub(crate) claim_until: Instant,
    /// When the locks of all its jobs end: so long after its deadline that no late write finds one gone.
    pub(crate) locked_until: Instant,
    /// The longest that a batch has taken so far.
    pub(crate) slowest: Duration,
    /// Jobs that this tick has postponed: it does not begin them again.
    pub(crate) postponed: HashSet<String>,
    pub(crate) report: Report,
}

impl<H: Handler> Tick<'_, H> {
    /// Runs it to its end, and says why it ended.
    pub(crate) async fn run(&mut self) -> Result<StoppedBecause, Failure<H::Error>> {
        let mut occupied = self.queue.peek().await?;
        if occupied.schedulers && self.reschedule().await {
            occupied = self.queue.peek().await?;
        }
        if occupied.is_empty() {
            self.report.remaining = Some(Default::default());
            return Ok(StoppedBecause::Empty);
        }
        let mut recovered = occupied.active && self.recover().await?;
        let mut is_fresh = true;
        loop {
            if !(occupied.is_waiting()
                || occupied.paused
                || recovered
                || self.is_due(occupied).await?)
            {
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
            recovered = surprised && occupied.is_waiting() && self.recover().await?;
            occupied = self.queue.peek().await?;
            is_fresh = true;
            if surprised && !recovered {
                break;
            }
        }
        self.leave(occupied, StoppedBecause::Empty).await
    }

    /// Ends a tick that something stopped: asks what is left, and for how long it has waited.
    async fn stop(&mut self, reason: StoppedBecause) -> Result<StoppedBecause, Failure<H::Error>> {
        let occupied = self.queue.peek().await?;
        if occupied.is_waiting() || occupied.paused {
            let now = self.clock.now_ms();
            if let Some(oldest) = self.queue.oldest_waiting_ms(occupied).await? {
                self.report.waited(oldest, now);
            }
        }
        self.leave(occupied, reason).await
    }

    async fn leave(
        &mut self,
        occupied: Occupied,
        reason: StoppedBecause,
    ) -> Result<StoppedBecause, Failure<H::Error>> {
        self.report.remaining = Some(self.queue.counts_of(occupied).await?.into());
        Ok(reason)
    }

    /// Whether a delayed job has fallen due.
    async fn is_due(&self, occupied: Occupied) -> Result<bool, Failure<H::Error>> {
        if !occupied.delayed {
            return Ok(false);
        }
        let due = self.queue.next_due_ms().await?;
        Ok(due.is_some_and(|due| due <= self.clock.now_ms()))
    }

    /// Whether next jobs of schedulers were put back. That schedules cannot be looked after keeps no
    /// job from being done.
    async fn reschedule(&mut self) -> bool {
        if let Ok(mut at) = self.schedules_at.lock() {
            if at.is_some_and(|at| at.elapsed() < SCHEDULES_EVERY) {
                return false;
            }
            *at = Some(Instant::now());
        }
        match self.queue.reschedule().await {
            Ok(done) => {
                self.report.rescheduled += done.schedules.len() as u64;
                self.report.unscheduled += done.unscheduled.len() as u64;
                !done.schedules.is_empty()
            }
            Err(error) => {
                warn!(%error, "schedules cannot be looked after");
                false
            }
        }
    }

    /// Whether jobs of dead owners came back.
    async fn recover(&mut self) -> Result<bool, Failure<H::Error>> {
        let recovered = match self.queue.recover().await {
            // A full Redis refuses this, and lets batches be worked off all the same.
            Err(Error::Redis(error)) if *error.kind() == ErrorKind::Server("OOM".to_owned()) => {
                warn!(%error, "stalled jobs have to wait");
                return Ok(false);
            }
            recovered => recovered?,
        };
        self.report.recovered += recovered.ids.len() as u64;
        self.miss(&recovered.missing);
        if !recovered.ids.is_empty() {
            warn!(jobs = recovered.ids.len(), doomed = recovered.doomed.len(), "jobs had stalled");
        }
        Ok(!recovered.ids.is_empty())
    }

    /// Claims and works through batches until a claim comes back short; a reason when the tick
    /// must stop.
    async fn drain(
        &mut self,
        occupied: Occupied,
        recovered: bool,
    ) -> Result<Option<StoppedBecause>, Failure<H::Error>> {
        if self.is_late() {
            return Ok(Some(StoppedBecause::Deadline));
        }
        let count = self.batch_size;
        let request = ClaimRequest {
            wait: occupied.wait || recovered,
            prioritized: occupied.prioritized,
            ..self.request(occupied)
        };
        let mut claim = self.queue.claim(request).await?;
        loop {
            self.note(&claim);
            if claim.jobs.is_empty() {
                if let ClaimStatus::Limited { wait_ms } = claim.status {
                    self.report.limited_ms = u64::try_from(wait_ms).ok();
                }
                if !self.may_hide_more(&claim) {
                    return Ok(held_back(claim.status));
                }
                if self.is_late() {
                    return Ok(Some(StoppedBecause::Deadline));
                }
                claim = self.queue.claim(self.request(occupied)).await?;
                continue;
            }
            let began = Instant::now();
            let batch = info_span!("batch", jobs = claim.jobs.len());
            // Those that are not begun again stand last, and get back what they got before.
            claim.jobs.sort_by_key(|job| self.postponed.contains(&job.id));
            let traced = Traced::begin(&claim.jobs, &self.queue.options().name, &batch);
            let short = claim.jobs.len() < count as usize && !claim.more;
            let (jobs, failure) = self.work(&claim.token, claim.jobs).instrument(batch).await;
            self.slowest = self.slowest.max(began.elapsed());
            let late = self.is_late();
            let held = self.postpone(&jobs);
            if failure.is_some() || short || late || held {
                let mut settled = self.queue.settle(&claim.token, &jobs).await?;
                end_refused(&self.queue, &claim.token, &jobs, &mut settled).await;
                self.count(&settled, traced, began);
                if let Some(failure) = failure {
                    return Err(failure);
                }
                let held = held.then_some(StoppedBecause::Held);
                return Ok(late.then_some(StoppedBecause::Deadline).or(held));
            }
            let (mut settled, claimed) =
                self.queue.settle_and_claim(&claim.token, &jobs, self.request(occupied)).await?;
            end_refused(&self.queue, &claim.token, &jobs, &mut settled).await;
            self.count(&settled, traced, began);
            claim = claimed;
        }
    }

    /// What to claim next, from wherever it waits: until the tick's deadline and some time more.
    fn request(&self, occupied: Occupied) -> ClaimRequest {
        let lock = self.locked_until.saturating_duration_since(Instant::now());
        let count = self.batch_size;
        ClaimRequest {
            delayed: occupied.delayed,
            lock: Some(lock),
            ..ClaimRequest::everywhere(count)
        }
    }

    /// Lets the handler work within the time that is left. A batch that cannot be finished goes back as
    /// it is, and the failure is told: behind all others what could not be done, so that it does not
    /// hold them up for ever, and to the front what a stop cut short.
    async fn work(
        &mut self,
        claim: &str,
        jobs: Vec<ClaimedJob>,
    ) -> (Vec<(ClaimedJob, Settlement)>, Option<Failure<H::Error>>) {
        let fresh = jobs.partition_point(|job| !self.postponed.contains(&job.id));
        let (mut settlements, failure) = match &jobs[..fresh] {
            [] => (Vec::new(), None),
            fresh => self.handle(claim, fresh).await,
        };
        settlements.resize(jobs.len(), Settlement::Postpone);
        (jobs.into_iter().zip(settlements).collect(), failure)
    }

    async fn handle(
        &mut self,
        claim: &str,
        jobs: &[ClaimedJob],
    ) -> (Vec<Settlement>, Option<Failure<H::Error>>) {
        let context = Context {
            claim,
            queue: self.queue.options(),
            deadline: self.claim_until,
            stop: self.stop,
            counters: self.counters,
        };
        // Boxed: a handler's future may be of any depth, and the compiler follows only so many.
        let handled = Box::pin(handle(self.handler, jobs, &context)).await;
        self.report.batches += 1;
        let back = match self.stop.is_asked() {
            true => Settlement::Release,
            false => Settlement::Postpone,
        };
        let back = || vec![back; jobs.len()];
        match handled {
            Handled::Done(settlements) => (settlements, None),
            Handled::Failed(error) => (back(), Some(Failure::Handler(error))),
            // Out of time is no failure: the jobs go back and the next tick has them.
            Handled::Late => (back(), None),
        }
    }

    /// Remembers which of a batch's jobs are postponed. Whether it was nothing but jobs that had been
    /// before: then the tick has come round, and what is left cannot be done now.
    fn postpone(&mut self, jobs: &[(ClaimedJob, Settlement)]) -> bool {
        let held = jobs.iter().all(|(job, _)| self.postponed.contains(&job.id));
        let postponed = jobs.iter().filter(|(_, end)| *end == Settlement::Postpone);
        self.postponed.extend(postponed.map(|(job, _)| job.id.clone()));
        held
    }

    /// Whether jobs may stand behind what a claim without jobs took out of the queue: ids without a
    /// job, schedulers' jobs that it left alone, or more due ids without a job than it looks at.
    fn may_hide_more(&self, claim: &Claim) -> bool {
        claim.more
            || !claim.missing.is_empty()
            || match claim.status {
                ClaimStatus::Claimed => true,
                ClaimStatus::Empty { next_due_ms } => {
                    next_due_ms.is_some_and(|due| due <= self.clock.now_ms())
                }
                _ => false,
            }
    }

    /// What claims have taken out of the queue so far.
    fn found(&self) -> u64 {
        self.report.claimed + self.report.missing + self.report.unscheduled
    }

    fn miss(&mut self, ids: &[String]) {
        self.report.missing += ids.len() as u64;
        for id in ids {
            warn!(job = id.as_str(), "an id stood in the queue without a job behind it");
        }
    }

    fn note(&mut self, claim: &Claim) {
        self.report.claimed += claim.jobs.len() as u64;
        self.report.unscheduled += claim.unscheduled.len() as u64;
        self.miss(&claim.missing);
        let now = self.clock.now_ms();
        for job in &claim.jobs {
            self.report.waited(job.timestamp_ms, now);
        }
    }

    fn count(&mut self, settled: &Settled, traced: Traced, began: Instant) {
        self.report.count(&settled.codes);
        self.miss(&settled.missing);
        self.report.batch_ms = self.report.batch_ms.max(millis(began.elapsed()));
        traced.end(&settled.codes);
        let refused = settled.codes.iter().filter(|code| matches!(code, Code::Refused(_))).count();
        if refused > 0 {
            warn!(jobs = refused, "results dropped: the jobs were not ours any more");
        }
        info!(settled = settled.codes.len(), requeued = settled.requeued, "batch settled");
    }

    /// Whether the next batch would not fit into the time that is left.
    fn is_late(&self) -> bool {
        self.stop.is_asked() || Instant::now() + self.slowest >= self.claim_until
    }
}

/// Why a claim without jobs ends the tick before the queue is known to be empty.
fn held_back(status: ClaimStatus) -> Option<StoppedBecause> {
    match status {
        ClaimStatus::Claimed | ClaimStatus::Empty { .. } => None,
        ClaimStatus::Paused => Some(StoppedBecause::Paused),
        ClaimStatus::Full => Some(StoppedBecause::Full),
        ClaimStatus::Limited { .. } => Some(StoppedBecause::Limited),
    }
}
