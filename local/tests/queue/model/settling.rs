//! What a claim and the end of a batch mean, for the model.

use super::states::{Model, PLACES_PER_MS, State};
use super::steps::{Ask, End, Keep, LOCK_MS, RATE_MS};

/// What a claim must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    Jobs(Vec<String>),
    Empty(Option<i64>),
    Paused,
    Full,
    Limited,
}

/// How an accepted job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Completed,
    Failed,
    Retried,
    Released,
}

impl Model {
    pub(crate) fn claim(&mut self, ask: Ask, token: &str) -> Claimed {
        let promoted = ask.delayed && self.promote_due();
        let (wait, prioritized) = (ask.wait || promoted, ask.prioritized);
        let mut count = self.room().min(u64::from(ask.count));
        if let Some(max) = self.rate.map(u64::from) {
            let used = self.started.map_or(0, |(used, _)| used);
            if used >= max {
                // A pause is the greater news.
                return if self.is_paused { Claimed::Paused } else { Claimed::Limited };
            }
            count = count.min(max - used);
        }
        if self.is_paused {
            return Claimed::Paused;
        }
        if self.room() == 0 {
            return Claimed::Full;
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut ids: Vec<String> = match wait {
            true => self.waiting.iter().take(count).cloned().collect(),
            false => Vec::new(),
        };
        if prioritized && ids.len() < count {
            let asked = count - ids.len();
            let ranked: Vec<String> =
                self.prioritized.iter().take(asked).map(|(_, id)| id.clone()).collect();
            if ranked.len() < asked {
                self.places = 0;
            }
            ids.extend(ranked);
        }
        let mut counted = 0;
        for id in &ids {
            self.leave(id);
            self.active.insert(id.clone());
            self.locks.insert(id.clone(), (token.to_owned(), self.now + LOCK_MS));
            let now = self.now;
            let job = self.job(id);
            job.state = State::Active;
            job.processed = Some(now);
            job.attempts_started += 1;
            counted += u64::from(!job.is_doomed);
            if let Some(dedup) = job.dedup()
                && self.opens_deduplication
                && self.holders.get(&dedup) == Some(&(id.clone(), None))
            {
                self.holders.remove(&dedup);
            }
        }
        if self.rate.is_some() && counted > 0 {
            let end = self.now + RATE_MS;
            self.started.get_or_insert((0, end)).0 += counted;
        }
        if ids.is_empty() {
            let next = self.delayed.first().filter(|_| ask.delayed);
            return Claimed::Empty(next.map(|(score, _)| score.div_euclid(PLACES_PER_MS)));
        }
        Claimed::Jobs(ids)
    }

    /// BullMQ's code for a job that was claimed under `token`; 0: it may end.
    fn code(&self, id: &str, token: &str) -> i64 {
        if !self.jobs.contains_key(id) {
            return -1;
        }
        match self.locks.get(id) {
            None => -2,
            Some((owner, _)) if owner != token => -6,
            Some(_) if self.active.contains(id) => 0,
            Some(_) => -3,
        }
    }

    /// One code a job: 0, or BullMQ's. And how each ended.
    pub(crate) fn settle(&mut self, token: &str, ends: &[(String, End)]) -> Vec<(i64, Ended)> {
        let codes: Vec<i64> = ends.iter().map(|(id, _)| self.code(id, token)).collect();
        let mut out: Vec<(i64, Ended)> =
            codes.iter().map(|code| (*code, Ended::Released)).collect();
        let (mut is_promoted, mut released) = (false, Vec::new());
        for ((id, end), out) in ends.iter().zip(&mut out) {
            if out.0 != 0 {
                continue;
            }
            self.locks.remove(id);
            self.suspects.remove(id);
            let job = self.job(id).clone();
            let retried = match end {
                End::Fail if job.attempts_made + 1 < job.spec.attempts => Some(job.spec.backoff),
                End::RetryAfter(ms) if job.attempts_made + 1 < job.spec.attempts => Some(*ms),
                _ => None,
            };
            match end {
                End::Release => released.push(id),
                End::Postpone => self.wait_or_rank(id),
                _ => match retried {
                    Some(delay) => {
                        out.1 = Ended::Retried;
                        self.retry_settled(id, delay, &mut is_promoted);
                    }
                    None => {
                        let is_completed = *end == End::Complete;
                        out.1 = if is_completed { Ended::Completed } else { Ended::Failed };
                        // Not counting those that end after it.
                        let keep = self.finish(id, is_completed);
                        self.retain(is_completed, keep);
                    }
                },
            }
        }
        // The first of the batch is the next to run.
        for id in released.iter().rev() {
            match self.job(id).priority {
                0 => self.wait(id, true),
                _ => self.rank(id, true),
            }
        }
        out
    }

    fn retry_settled(&mut self, id: &str, delay: u64, is_promoted: &mut bool) {
        self.job(id).attempts_made += 1;
        if delay > 0 {
            let delay = i64::try_from(delay).expect("a short delay");
            self.job(id).delay = delay;
            return self.put_off(id, self.now + delay);
        }
        // What fell due meanwhile goes before it.
        if !*is_promoted {
            *is_promoted = true;
            self.promote_due();
        }
        let is_lifo = self.job(id).spec.lifo;
        if self.job(id).priority == 0 && is_lifo {
            self.wait(id, true)
        } else {
            self.wait_or_rank(id)
        }
    }

    /// Ends a job, and tells by what others have to go for it.
    fn finish(&mut self, id: &str, is_completed: bool) -> Keep {
        let job = self.job(id).clone();
        let keep = if is_completed { job.spec.keep_completed } else { job.spec.keep_failed };
        if let Some(dedup) = job.spec.dedup
            && let Some((holder, end)) = self.holders.get(&dedup.id)
            && holder == id
            && (end.is_none() || dedup.last)
        {
            self.holders.remove(&dedup.id);
        }
        if keep == Keep::None {
            self.delete(id);
            return keep;
        }
        self.leave(id);
        let now = self.now;
        let ended = if is_completed { &mut self.completed } else { &mut self.failed };
        ended.insert((now, id.to_owned()));
        let job = self.job(id);
        job.state = if is_completed { State::Completed } else { State::Failed };
        job.attempts_made += 1;
        job.finished = Some(now);
        job.is_doomed &= is_completed;
        keep
    }

    fn retain(&mut self, is_completed: bool, keep: Keep) {
        let ended = if is_completed { &self.completed } else { &self.failed };
        let gone: Vec<String> = match keep {
            Keep::All | Keep::None => return,
            Keep::Two => ended.iter().rev().skip(2).map(|(_, id)| id.clone()).collect(),
            Keep::Minute => {
                let old = ended.iter().filter(|(at, _)| *at <= self.now - 60_000);
                old.map(|(_, id)| id.clone()).collect()
            }
        };
        for id in gone {
            self.delete(&id);
        }
    }
}
