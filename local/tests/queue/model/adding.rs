//! What adding a job means, for the model.

use shared::queue::{Added, Outcome};

use super::states::{Job, Model, State};
use super::steps::{Dedup, Spec};

impl Model {
    /// A call first lets the keys go that name a job which has ended, and have no time of their own.
    pub(crate) fn read_holders(&mut self, specs: &[Spec]) {
        for dedup in specs.iter().filter_map(|spec| spec.dedup) {
            let is_stale = |(id, end): &(String, Option<i64>)| {
                end.is_none() && !self.jobs.get(id).is_some_and(|job| job.is_live())
            };
            if self.holders.get(&dedup.id).is_some_and(is_stale) {
                self.holders.remove(&dedup.id);
            }
        }
    }

    /// Adds a job. A new one takes the id of `answer`, which the model does not foresee, and which no
    /// job has had before.
    pub(crate) fn add(&mut self, spec: Spec, answer: &Added) -> Result<(), String> {
        self.serials += 1;
        let custom = spec.id.map(custom_id);
        let outcome = match (&custom, spec.dedup) {
            (Some(id), _) if self.jobs.contains_key(id) => {
                return expect(answer, Outcome::Duplicate, Some(id));
            }
            (_, Some(dedup)) => match self.duplicate(spec, dedup) {
                Duplicate::StandsFor(id) => {
                    return expect(answer, Outcome::Deduplicated, Some(&id));
                }
                Duplicate::Replaces(old) => {
                    let kept = self.holders.get(&dedup.id).and_then(|(_, end)| *end);
                    let ends = if dedup.extend || lifetime(dedup) == 0 {
                        self.end_of(dedup)
                    } else {
                        kept
                    };
                    self.store(spec, answer, custom.as_deref())?;
                    self.delete(&old);
                    self.holders.insert(dedup.id, (answer.id.clone(), ends));
                    return expect(answer, Outcome::Added, custom.as_deref());
                }
                Duplicate::New => Outcome::Added,
                Duplicate::AfterActive => Outcome::AfterActive,
            },
            (_, None) => Outcome::Added,
        };
        self.store(spec, answer, custom.as_deref())?;
        if let Some(dedup) = spec.dedup {
            let ends = self.end_of(dedup);
            self.holders.insert(dedup.id, (answer.id.clone(), ends));
        }
        expect(answer, outcome, custom.as_deref())
    }

    fn store(&mut self, spec: Spec, answer: &Added, custom: Option<&str>) -> Result<(), String> {
        let id = &answer.id;
        if custom.is_some_and(|custom| custom != id) || self.jobs.contains_key(id) {
            return Err(format!("{answer:?} cannot be the answer"));
        }
        if custom.is_none() && self.known.contains(id) {
            return Err(format!("the id of {answer:?} was another job's"));
        }
        if !self.known.contains(id) {
            self.known.push(id.clone());
        }
        let job = Job {
            // Until it is placed.
            state: State::Active,
            serial: self.serials,
            spec,
            priority: spec.priority,
            delay: spec.delay,
            timestamp: self.now,
            processed: None,
            finished: None,
            attempts_made: 0,
            attempts_started: 0,
            stalled: 0,
            is_doomed: false,
        };
        self.jobs.insert(id.clone(), job);
        match spec {
            Spec { delay: 1.., .. } => self.put_off(id, self.now + spec.delay),
            Spec { priority: 0, lifo, .. } => self.wait(id, lifo),
            _ => self.rank(id, false),
        }
        Ok(())
    }

    /// What a job with a deduplication id is to the one that holds it.
    fn duplicate(&mut self, spec: Spec, dedup: Dedup) -> Duplicate {
        let Some((holder, ends)) = self.holders.get(&dedup.id).cloned() else {
            return Duplicate::New;
        };
        let state = self.jobs.get(&holder).filter(|job| job.is_live()).map(|job| job.state);
        // One whose job has ended or gone holds on for its time only.
        if state.is_none() && ends.is_none() {
            return Duplicate::New;
        }
        if dedup.last && state == Some(State::Active) {
            return Duplicate::AfterActive;
        }
        if dedup.replace {
            return match state {
                Some(State::Delayed) => Duplicate::Replaces(holder),
                _ => Duplicate::StandsFor(holder),
            };
        }
        if dedup.extend && dedup.ttl > 0 {
            self.holders.insert(dedup.id, (holder.clone(), self.end_of(dedup)));
        }
        if dedup.reschedule && state == Some(State::Delayed) {
            self.job(&holder).delay = spec.delay;
            self.put_off(&holder, self.now + spec.delay);
        }
        if spec.promote && matches!(state, Some(State::Delayed | State::Prioritized)) {
            self.wait(&holder, false);
            let job = self.job(&holder);
            (job.priority, job.delay) = (0, 0);
        }
        Duplicate::StandsFor(holder)
    }

    fn end_of(&self, dedup: Dedup) -> Option<i64> {
        Some(lifetime(dedup)).filter(|ms| *ms > 0).map(|ms| self.now + ms)
    }
}

/// A key that is to keep the last duplicate never ends by itself.
fn lifetime(dedup: Dedup) -> i64 {
    if dedup.last { 0 } else { dedup.ttl }
}

pub(crate) fn custom_id(n: u8) -> String {
    format!("own-{n}")
}

enum Duplicate {
    New,
    AfterActive,
    Replaces(String),
    StandsFor(String),
}

fn expect(answer: &Added, outcome: Outcome, id: Option<&str>) -> Result<(), String> {
    if answer.outcome == outcome && id.is_none_or(|id| id == answer.id) {
        return Ok(());
    }
    Err(format!("answered {answer:?}, not {outcome:?} {id:?}"))
}
