//! The lanes of a queue: each claims, lets the handler work, and settles while it claims the next
//! batch. Several at once keep the handler's servers and Redis busy together.

use std::sync::atomic::{AtomicBool, Ordering};

use batchmq::clock::millis;
use batchmq::{Claim, ClaimRequest, ClaimStatus, ClaimedJob, Code, Occupied, Settled, Settlement};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument as _, info, info_span, warn};

use crate::batch::Handled;
use crate::handler::Context;
use crate::line::{Failure, Line};
use crate::refused::end_refused;
use crate::report::StoppedBecause;
use crate::traced::Traced;
use crate::turns::Turn;

/// What the lanes of a round tell each other.
#[derive(Debug, Default)]
struct Round {
    /// One of them has met the end of the queue, or something in the way: the others finish their
    /// batches and claim no more.
    is_over: AtomicBool,
    /// More waits than was claimed: another lane has something to do.
    more: Notify,
    /// Whether there ever were several lanes.
    is_shared: AtomicBool,
}

impl Round {
    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn is_alone(&self) -> bool {
        !self.is_shared.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

type End = Result<Option<StoppedBecause>, Failure>;

/// How a lane ended.
enum Lane {
    /// And the round with it, for a reason if the tick must stop.
    Over(Option<StoppedBecause>),
    /// Alone: the queue lets no more jobs be active than the other lanes have.
    Crowded,
}

impl Line<'_> {
    /// Claims and works through batches until a claim comes back short; a reason when the tick
    /// must stop.
    pub(crate) async fn drain(&self, occupied: Occupied, recovered: bool) -> End {
        {
            let mut state = self.state();
            state.awaited = occupied.wait || occupied.paused || recovered;
            state.left = None;
        }
        let round = Round::default();
        // Where the first claim looks; those after it look everywhere.
        let wait = occupied.wait || recovered;
        // Those that fall due are claimed with the others.
        let prioritized = occupied.prioritized || occupied.delayed;
        let mut lanes = FuturesUnordered::new();
        lanes.push(self.lane(occupied, wait, prioritized, &round));
        let (mut end, mut most) = (Ok(None), self.options.lanes.max(1));
        loop {
            tokio::select! {
                ended = lanes.next() => match ended {
                    None => return end,
                    Some(Ok(Lane::Crowded)) if !lanes.is_empty() => most = lanes.len(),
                    Some(Ok(Lane::Crowded)) => {
                        round.end();
                        end = first_of(end, Ok(Some(StoppedBecause::Full)));
                    }
                    Some(Ok(Lane::Over(reason))) => {
                        round.end();
                        end = first_of(end, Ok(reason));
                    }
                    Some(Err(failure)) => {
                        round.end();
                        end = first_of(end, Err(failure));
                    }
                },
                () = round.more.notified(), if lanes.len() < most && !round.is_over() => {
                    round.is_shared.store(true, Ordering::Relaxed);
                    lanes.push(self.lane(occupied, true, true, &round));
                }
            }
        }
    }

    /// Works in one lane until the round is over. Its first claim takes from `wait` and `prioritized` only
    /// where that is said.
    async fn lane(
        &self,
        occupied: Occupied,
        wait: bool,
        prioritized: bool,
        round: &Round,
    ) -> Result<Lane, Failure> {
        let Some(mut turn) = self.turn().await else {
            return Ok(Lane::Over(Some(StoppedBecause::Deadline)));
        };
        let mut count = self.batch_size();
        let request = self.request(occupied, count);
        let prioritized = prioritized && request.prioritized;
        let mut claim = self.queue.claim(ClaimRequest { wait, prioritized, ..request }).await?;
        loop {
            self.note(&claim);
            if claim.jobs.is_empty() {
                if let ClaimStatus::Limited { wait_ms } = claim.status {
                    self.state().report.limited_ms = u64::try_from(wait_ms).ok();
                }
                if claim.hold.is_some() {
                    self.state().report.hold = claim.hold;
                }
                if round.is_over() || !self.may_hide_more(&claim) {
                    return Ok(match claim.status {
                        ClaimStatus::Full => Lane::Crowded,
                        status => Lane::Over(held_back(status)),
                    });
                }
                if self.is_late() {
                    return Ok(Lane::Over(Some(StoppedBecause::Deadline)));
                }
                count = self.batch_size();
                claim = self.queue.claim(self.request(occupied, count)).await?;
                continue;
            }
            let is_short = claim.jobs.len() < count as usize && !claim.more;
            match is_short {
                true => {
                    round.end();
                    turn.make_last();
                }
                false => round.more.notify_one(),
            }
            let Claim { token, jobs, .. } = claim;
            let worked = self.work(&token, jobs).await;
            let is_late = self.is_late();
            let Worked { jobs, traced, began, is_held, failure } = worked;
            let is_last = failure.is_some() || is_short || is_late || is_held || round.is_over();
            if is_last || !turn.again(self.state().awaited) {
                let settled = self.queue.settle(&token, &jobs).await?;
                // Beside other lanes it is not the last word.
                self.state().left = settled.occupied.filter(|_| round.is_alone());
                self.count(&token, &jobs, settled, traced, began).await;
                if let Some(failure) = failure {
                    return Err(failure);
                }
                if is_last {
                    let held = is_held.then_some(StoppedBecause::Held);
                    return Ok(Lane::Over(is_late.then_some(StoppedBecause::Deadline).or(held)));
                }
                drop(turn);
                turn = match self.turn().await {
                    Some(turn) => turn,
                    None => return Ok(Lane::Over(Some(StoppedBecause::Deadline))),
                };
                count = self.batch_size();
                claim = self.queue.claim(self.request(occupied, count)).await?;
                continue;
            }
            count = self.batch_size();
            let next = self.request(occupied, count);
            let (settled, claimed) = self.queue.settle_and_claim(&token, &jobs, next).await?;
            self.count(&token, &jobs, settled, traced, began).await;
            claim = claimed;
        }
    }

    /// Waits until it is this queue's turn; `None` once there is no time left.
    async fn turn(&self) -> Option<Turn<'_>> {
        if self.is_late() {
            return None;
        }
        let awaited = self.state().awaited;
        tokio::select! {
            biased;
            turn = self.turns.begin(self.place, awaited) => Some(turn).filter(|_| !self.is_late()),
            () = sleep_until(self.claim_until) => None,
            () = self.stop.asked() => None,
        }
    }

    fn batch_size(&self) -> u32 {
        self.state().pace.jobs(self.options.batch_size, self.left())
    }

    /// What to claim next, from wherever it waits: until the tick's deadline and some time more.
    fn request(&self, occupied: Occupied, count: u32) -> ClaimRequest {
        let lock = self.locked_until.saturating_duration_since(Instant::now());
        ClaimRequest {
            prioritized: !self.state().gathers,
            delayed: occupied.delayed,
            lock: Some(lock),
            ..ClaimRequest::everywhere(count)
        }
    }

    /// Lets the handler work on claimed jobs within the time that is left. A batch that cannot be
    /// finished goes back as it is, and the failure is told: behind all others what could not be done,
    /// so that it does not hold them up for ever, and to the front what a stop cut short.
    async fn work(&self, claim: &str, mut jobs: Vec<ClaimedJob>) -> Worked {
        let began = Instant::now();
        let batch = info_span!("batch", jobs = jobs.len());
        let fresh = {
            let postponed = &self.state().postponed;
            // Those that are not begun again stand last, and get back what they got before.
            jobs.sort_by_key(|job| postponed.contains(&job.id));
            jobs.partition_point(|job| !postponed.contains(&job.id))
        };
        let traced = Traced::begin(&jobs, &self.queue.options().name, &batch);
        let (mut settlements, failure) = match &jobs[..fresh] {
            [] => (Vec::new(), None),
            fresh => self.handle(claim, fresh).instrument(batch).await,
        };
        settlements.resize(jobs.len(), Settlement::Postpone);
        if fresh > 0 {
            self.state().pace.note(fresh, began.elapsed());
        }
        let jobs: Vec<_> = jobs.into_iter().zip(settlements).collect();
        let is_held = self.postpone(&jobs);
        Worked { jobs, traced, began, is_held, failure }
    }

    async fn handle(&self, claim: &str, jobs: &[ClaimedJob]) -> (Vec<Settlement>, Option<Failure>) {
        let context = Context {
            claim,
            queue: self.queue.options(),
            deadline: self.claim_until,
            stop: self.stop,
            counters: &self.counters,
        };
        let handled = self.handler.handle(jobs, &context).await;
        {
            let mut state = self.state();
            state.report.batches += 1;
            // What they wait for is awake now, so that the others cost no more of it.
            state.gathers = false;
        }
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
    fn postpone(&self, jobs: &[(ClaimedJob, Settlement)]) -> bool {
        let before = &mut self.state().postponed;
        let held = jobs.iter().all(|(job, _)| before.contains(&job.id));
        let postponed = jobs.iter().filter(|(_, end)| *end == Settlement::Postpone);
        before.extend(postponed.map(|(job, _)| job.id.clone()));
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

    fn note(&self, claim: &Claim) {
        self.miss(&claim.missing);
        let now = self.clock.now_ms();
        let mut state = self.state();
        // What was left before is older than this.
        state.left = None;
        state.report.claimed += claim.jobs.len() as u64;
        state.report.unscheduled += claim.unscheduled.len() as u64;
        for job in &claim.jobs {
            match self.is_patient && job.priority > 0 {
                true => state.report.gathered(job.timestamp_ms, now),
                false => state.report.waited(job.timestamp_ms, now),
            }
        }
        // What is awaited stands before bulk.
        state.awaited &= claim.jobs.iter().all(|job| job.priority == 0);
    }

    /// Counts what became of a batch, after it has ended those of its jobs that were refused.
    async fn count(
        &self,
        token: &str,
        jobs: &[(ClaimedJob, Settlement)],
        mut settled: Settled,
        traced: Traced,
        began: Instant,
    ) {
        end_refused(&self.queue, token, jobs, &mut settled).await;
        self.miss(&settled.missing);
        let report = &mut self.state().report;
        report.count(&settled.codes);
        report.batch_ms = report.batch_ms.max(millis(began.elapsed()));
        traced.end(&settled.codes);
        let refused = settled.codes.iter().filter(|code| matches!(code, Code::Refused(_))).count();
        if refused > 0 {
            warn!(jobs = refused, "results dropped: the jobs were not ours any more");
        }
        info!(settled = settled.codes.len(), requeued = settled.requeued, "batch settled");
    }
}

/// A batch that was worked on and is to be settled.
struct Worked {
    jobs: Vec<(ClaimedJob, Settlement)>,
    traced: Traced,
    began: Instant,
    is_held: bool,
    failure: Option<Failure>,
}

/// The end of a round, of the ends of its lanes: a failure before a reason to stop.
fn first_of(one: End, other: End) -> End {
    match (one, other) {
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
        (Ok(one), Ok(other)) => Ok(one.or(other)),
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
