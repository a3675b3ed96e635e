//! Steps of producers and claimers.

use std::time::Duration;

use shared::queue::{
    Backoff, Claim, ClaimStatus, ClaimedJob, Code, Deduplication, JobOptions, KeepJobs, NewJob,
    Outcome, Settled, Settlement,
};
use shared::redis::Command;

use super::adding::custom_id;
use super::bench::{Bench, Hand, request};
use super::settling::{Claimed, Ended};
use super::steps::{Ask, DEDUPS, Dedup, End, Fate, Keep, LOCK_MS, Pick, Spec};

impl Bench<'_> {
    pub(crate) async fn enqueue(&mut self, specs: &[Spec], fate: Fate) -> Result<(), String> {
        let from = self.model.serials + 1;
        let jobs: Vec<NewJob> =
            specs.iter().zip(from..).map(|(spec, serial)| new_job(*spec, serial)).collect();
        self.keys += usize::from(fate == Fate::Other);
        let key = format!("key-{}", self.keys);
        let key = (fate == Fate::Other).then_some(key.as_str());
        let answer = self.way(fate).add(&jobs, key).await.map_err(|e| e.to_string())?;
        if key.is_some() {
            let again = self.queue.add(&jobs, key).await.map_err(|e| e.to_string())?;
            if again != answer {
                return Err(format!("answered {answer:?} and then {again:?}"));
            }
        }
        let could_run = !self.model.is_paused && self.model.room() > 0;
        let none_waited = self.model.waiting.is_empty();
        self.model.read_holders(specs);
        for (spec, added) in specs.iter().zip(&answer.added) {
            self.model.add(*spec, added)?;
        }
        // Whether a prioritized job waited before is not always known, so that only this much is exact.
        let must = could_run && none_waited && !self.model.waiting.is_empty();
        if must && !answer.first || answer.first && !could_run {
            return Err(format!("{answer:?}, but a drain need be woken: {must}"));
        }
        Ok(())
    }

    /// Once the queue is at rest a deduplicated add is a new job again, as soon as the time of its id is
    /// over.
    pub(crate) async fn add_anew(&mut self) -> Result<(), String> {
        self.advance(LOCK_MS).await?;
        for id in DEDUPS {
            let dedup = Some(Dedup { id, ..Dedup::default() });
            let spec = Spec { dedup, ..Spec::default() };
            let job = new_job(spec, self.model.serials + 1);
            let added = self.queue.enqueue(&[job]).await.map_err(|e| e.to_string())?;
            self.model.add(spec, &added[0])?;
            if added[0].outcome != Outcome::Added {
                return Err(format!("the deduplication id {id} is blocked: {added:?}"));
            }
        }
        Ok(())
    }

    pub(crate) async fn claim(&mut self, ask: Ask, fate: Fate) -> Result<(), String> {
        let claim = self.way(fate).claim(request(ask)).await.map_err(|e| e.to_string())?;
        self.claimed(ask, claim, fate)
    }

    fn claimed(&mut self, ask: Ask, claim: Claim, fate: Fate) -> Result<(), String> {
        let expected = self.model.claim(ask, &claim.token);
        let ids: Vec<String> = claim.jobs.iter().map(|job| job.id.clone()).collect();
        let got = match claim.status {
            ClaimStatus::Claimed => Claimed::Jobs(ids),
            ClaimStatus::Empty { next_due_ms } => Claimed::Empty(next_due_ms),
            ClaimStatus::Paused => Claimed::Paused,
            ClaimStatus::Full => Claimed::Full,
            ClaimStatus::Limited { .. } => Claimed::Limited,
        };
        if got != expected || !claim.missing.is_empty() {
            return Err(format!("claimed {got:?}, missing {:?}, not {expected:?}", claim.missing));
        }
        for job in &claim.jobs {
            self.read(job)?;
        }
        // Who dies with what he claimed does not come back to it.
        if !claim.jobs.is_empty() && fate != Fate::Other {
            self.hands.push(Hand { token: claim.token, jobs: claim.jobs });
        }
        Ok(())
    }

    /// Whether a claimed job is the one that was added, as it stood.
    fn read(&self, got: &ClaimedJob) -> Result<(), String> {
        let job = &self.model.jobs[&got.id];
        let data = if job.is_doomed { "{}".to_owned() } else { data(job.serial) };
        let dedup = job.dedup().map(|dedup| format!("d{dedup}"));
        let is_same = got.data == data
            && got.priority == job.priority
            && got.attempts_made == job.attempts_made
            && got.stalled == job.stalled
            && got.deduplication_id == dedup
            && got.deferred_failure.is_some() == job.is_doomed;
        is_same.then_some(()).ok_or_else(|| format!("claimed {got:?}, but it is {job:?}"))
    }

    pub(crate) async fn settle(
        &mut self,
        claim: Pick,
        ends: &[End],
        next: Option<Ask>,
        fate: Fate,
    ) -> Result<(), String> {
        let Some(hand) = self.hand(claim) else { return Ok(()) };
        let token = hand.token.clone();
        let ended: Vec<(ClaimedJob, End)> = hand
            .jobs
            .iter()
            .zip(ends.iter().cycle())
            .filter(|(_, end)| **end != End::Skip)
            .map(|(job, end)| (job.clone(), *end))
            .collect();
        let jobs: Vec<_> = ended.iter().map(|(job, end)| (job.clone(), settlement(*end))).collect();
        let way = self.way(fate);
        let (settled, claimed) = match next {
            None => (way.settle(&token, &jobs).await.map_err(|e| e.to_string())?, None),
            Some(ask) => {
                let answer = way.settle_and_claim(&token, &jobs, request(ask)).await;
                let (settled, claim) = answer.map_err(|e| e.to_string())?;
                (settled, Some((ask, claim)))
            }
        };
        let ends: Vec<(String, End)> = ended.into_iter().map(|(job, end)| (job.id, end)).collect();
        let expected: Vec<Code> = self.model.settle(&token, &ends).into_iter().map(code).collect();
        let Settled { codes, requeued, missing, .. } = settled;
        // A batch of refusals leaves no receipt: asked again, each is refused anew, maybe for what the claim
        // of the same call has done since.
        let is_same = |got: &Code, expected: &Code| {
            let both = |code: &Code| matches!(code, Code::Refused(_));
            got == expected || fate == Fate::Lost && both(got) && both(expected)
        };
        let are_same = codes.len() == expected.len()
            && codes.iter().zip(&expected).all(|(got, expected)| is_same(got, expected));
        if !are_same || requeued > 0 || !missing.is_empty() {
            return Err(format!("settled {codes:?}, {requeued}, {missing:?}, not {expected:?}"));
        }
        match claimed {
            Some((ask, claim)) => self.claimed(ask, claim, fate),
            None => Ok(()),
        }
    }

    pub(crate) async fn renew(&mut self, claim: Pick) -> Result<(), String> {
        let Some(hand) = self.hand(claim) else { return Ok(()) };
        let (token, ids) = (hand.token.clone(), hand.jobs.iter().map(|job| job.id.clone()));
        let ids: Vec<String> = ids.collect();
        let lost = self.queue.renew(&token, &ids).await.map_err(|e| e.to_string())?;
        let mut expected = Vec::new();
        for id in ids {
            match self.model.locks.get_mut(&id).filter(|(owner, _)| *owner == token) {
                Some((_, end)) => {
                    *end = self.model.now + LOCK_MS;
                    self.model.suspects.remove(&id);
                }
                None => expected.push(id),
            }
        }
        (lost == expected).then_some(()).ok_or_else(|| format!("lost {lost:?}, not {expected:?}"))
    }

    pub(crate) async fn recover(&mut self, fate: Fate) -> Result<(), String> {
        let recovered = self.way(fate).recover().await.map_err(|e| e.to_string())?;
        let Some(expected) = self.model.stalled() else {
            return match recovered.ids.is_empty() {
                true => Ok(()),
                false => Err(format!("{recovered:?} in a second pass within the interval")),
            };
        };
        // A set has no order, so that it is taken over from where they stand: the last one given back is
        // the next to run.
        let list = if self.model.is_paused { "paused" } else { "wait" };
        let tail = format!("-{}", expected.len().max(1));
        let read = Command::new("LRANGE").arg(self.key(list)).arg(tail).arg("-1");
        let mut order = super::compare::texts(&self.send(vec![read]).await?[0]);
        order.truncate(expected.len());
        let is_same = order.len() == expected.len() && order.iter().all(|id| expected.contains(id));
        let doomed = if is_same { self.model.recover(&order) } else { Vec::new() };
        // A pass whose answer was lost is not repeated, and tells of nothing.
        let is_told = recovered.ids == order && recovered.doomed == doomed;
        let is_lost = fate == Fate::Lost && recovered.ids.is_empty();
        if is_same && (is_told || is_lost) && recovered.missing.is_empty() {
            return Ok(());
        }
        Err(format!("{recovered:?}, given back as {order:?}, not {expected:?}, doomed {doomed:?}"))
    }
}

pub(crate) fn data(serial: u64) -> String {
    format!(r#"{{"serial":{serial}}}"#)
}

fn new_job(spec: Spec, serial: u64) -> NewJob {
    let keep = |keep| match keep {
        Keep::All => None,
        Keep::None => Some(KeepJobs::None),
        Keep::Two => Some(KeepJobs::Bounded { count: Some(2), age_s: None, limit: None }),
        Keep::Minute => Some(KeepJobs::Bounded { count: None, age_s: Some(60), limit: None }),
    };
    let backoff = |delay_ms| Backoff::Fixed { delay_ms, jitter: None };
    let opts = JobOptions {
        job_id: spec.id.map(custom_id),
        priority: spec.priority,
        delay_ms: spec.delay as u64,
        attempts: spec.attempts,
        backoff: Some(spec.backoff).filter(|ms| *ms > 0).map(backoff),
        lifo: spec.lifo,
        deduplication: spec.dedup.map(|dedup| Deduplication {
            id: format!("d{}", dedup.id),
            ttl_ms: Some(dedup.ttl as u64).filter(|ms| *ms > 0),
            extend: dedup.extend,
            replace: dedup.replace,
            keep_last_if_active: dedup.last,
            reschedule: dedup.reschedule,
        }),
        remove_on_complete: keep(spec.keep_completed),
        remove_on_fail: keep(spec.keep_failed),
        ..JobOptions::default()
    };
    NewJob { name: "n".to_owned(), data: data(serial), opts, promote_duplicate: spec.promote }
}

fn settlement(end: End) -> Settlement {
    let reason = || "it did not work".to_owned();
    match end {
        End::Complete => Settlement::Complete("1".to_owned()),
        End::Fail => Settlement::Failed(reason()),
        End::RetryAfter(ms) => {
            Settlement::RetryAfter { reason: reason(), wait: Duration::from_millis(ms) }
        }
        End::Unrecoverable => Settlement::Unrecoverable(reason()),
        End::Postpone => Settlement::Postpone,
        End::Release | End::Skip => Settlement::Release,
    }
}

fn code((code, ended): (i64, Ended)) -> Code {
    match (code, ended) {
        (0, Ended::Completed) => Code::Completed,
        (0, Ended::Failed) => Code::Failed,
        (0, Ended::Retried) => Code::Retried,
        (0, Ended::Released) => Code::Released,
        (code, _) => Code::Refused(code),
    }
}
