//! The queue as plain data: what every call must answer, and what must stand in Redis after it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::steps::Spec;

/// Passes without a lock after which a job is failed unrun.
const MOST_STALLED: u32 = 3;
/// How long one recovery pass keeps off the next.
const PASS_MS: i64 = 30_000;
pub(crate) const PLACES_PER_MS: i64 = 4096;
const PLACES_PER_PRIORITY: u64 = 1 << 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Prioritized,
    Delayed,
    Active,
    Completed,
    Failed,
}

#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) state: State,
    /// Which of the added ones it is; it stands in its data.
    pub(crate) serial: u64,
    pub(crate) spec: Spec,
    /// Its hash's fields.
    pub(crate) priority: u32,
    pub(crate) delay: i64,
    pub(crate) timestamp: i64,
    pub(crate) processed: Option<i64>,
    pub(crate) finished: Option<i64>,
    pub(crate) attempts_made: u32,
    pub(crate) attempts_started: u32,
    pub(crate) stalled: u32,
    pub(crate) is_doomed: bool,
}

impl Job {
    pub(crate) fn dedup(&self) -> Option<u8> {
        self.spec.dedup.map(|dedup| dedup.id)
    }

    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.state, State::Completed | State::Failed)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: i64,
    pub(crate) is_version_five: bool,
    pub(crate) opens_deduplication: bool,
    pub(crate) is_paused: bool,
    pub(crate) jobs: BTreeMap<String, Job>,
    /// The next to run first.
    pub(crate) waiting: VecDeque<String>,
    pub(crate) prioritized: BTreeSet<(u64, String)>,
    /// The counter behind the places of a priority.
    pub(crate) places: u64,
    pub(crate) delayed: BTreeSet<(i64, String)>,
    pub(crate) active: BTreeSet<String>,
    pub(crate) completed: BTreeSet<(i64, String)>,
    pub(crate) failed: BTreeSet<(i64, String)>,
    /// Owner and end of each lock.
    pub(crate) locks: BTreeMap<String, (String, i64)>,
    /// The holder of each deduplication id, and the end of its time.
    pub(crate) holders: BTreeMap<u8, (String, Option<i64>)>,
    /// What the last recovery pass noted.
    pub(crate) suspects: BTreeSet<String>,
    pub(crate) checked_until: Option<i64>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) rate: Option<u32>,
    /// Jobs started in the time that runs, and its end.
    pub(crate) started: Option<(u64, i64)>,
    /// Every id there ever was, in the order of their first addition.
    pub(crate) known: Vec<String>,
    pub(crate) serials: u64,
}

impl Model {
    pub(crate) fn job(&mut self, id: &str) -> &mut Job {
        self.jobs.get_mut(id).expect("the model knows its own jobs")
    }

    pub(crate) fn state(&self, id: &str) -> Option<State> {
        self.jobs.get(id).map(|job| job.state)
    }

    pub(crate) fn room(&self) -> u64 {
        let most = self.concurrency.map_or(u64::MAX, u64::from);
        most.saturating_sub(self.active.len() as u64)
    }

    /// Takes a job out of where it is.
    pub(crate) fn leave(&mut self, id: &str) {
        match self.state(id) {
            Some(State::Waiting) => self.waiting.retain(|other| other != id),
            Some(State::Prioritized) => self.prioritized.retain(|(_, other)| other != id),
            Some(State::Delayed) => self.delayed.retain(|(_, other)| other != id),
            Some(State::Active) => drop(self.active.remove(id)),
            Some(State::Completed) => self.completed.retain(|(_, other)| other != id),
            Some(State::Failed) => self.failed.retain(|(_, other)| other != id),
            None => {}
        }
    }

    pub(crate) fn wait(&mut self, id: &str, at_front: bool) {
        self.leave(id);
        self.job(id).state = State::Waiting;
        match at_front {
            true => self.waiting.push_front(id.to_owned()),
            false => self.waiting.push_back(id.to_owned()),
        }
    }

    /// `at_front`: what is given back goes before all of its priority. Those that are given back one
    /// after another stand there by their ids: the score has no room before the first place.
    pub(crate) fn rank(&mut self, id: &str, at_front: bool) {
        self.leave(id);
        let job = self.job(id);
        job.state = State::Prioritized;
        let priority = u64::from(job.priority);
        self.places += u64::from(!at_front);
        let place = if at_front { 0 } else { self.places };
        self.prioritized.insert((priority * PLACES_PER_PRIORITY + place, id.to_owned()));
    }

    /// To where a job waits that was just added.
    pub(crate) fn wait_or_rank(&mut self, id: &str) {
        match self.job(id).priority {
            0 => self.wait(id, false),
            _ => self.rank(id, false),
        }
    }

    /// What falls due in the same millisecond does so in the order of these calls.
    pub(crate) fn put_off(&mut self, id: &str, due: i64) {
        let of_this_ms =
            (due * PLACES_PER_MS, String::new())..((due + 1) * PLACES_PER_MS, String::new());
        let last = self.delayed.range(of_this_ms).next_back().map(|(score, _)| *score);
        self.leave(id);
        self.job(id).state = State::Delayed;
        let score = last.map_or(due * PLACES_PER_MS, |last| last + 1);
        self.delayed.insert((score, id.to_owned()));
    }

    /// Deletes a job that is in some state, without its deduplication key.
    pub(crate) fn delete(&mut self, id: &str) {
        self.leave(id);
        self.jobs.remove(id);
    }

    /// Deletes a job; a deduplication key that names it goes with it.
    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(dedup) = self.job(id).dedup()
            && self.holders.get(&dedup).is_some_and(|(holder, _)| holder == id)
        {
            self.holders.remove(&dedup);
        }
        self.delete(id);
    }

    pub(crate) fn promote_due(&mut self) -> bool {
        let end = ((self.now + 1) * PLACES_PER_MS, String::new());
        let due: Vec<String> = self.delayed.range(..end).map(|(_, id)| id.clone()).collect();
        for id in &due {
            self.wait_or_rank(id);
            self.job(id).delay = 0;
        }
        !due.is_empty()
    }

    /// Whether a recovery pass is due, and the ids that it gives back, in no order: Redis's sets have
    /// none.
    pub(crate) fn stalled(&self) -> Option<BTreeSet<String>> {
        if self.checked_until.is_some() {
            return None;
        }
        let unlocked = |id: &&String| self.active.contains(*id) && !self.locks.contains_key(*id);
        Some(self.suspects.iter().filter(unlocked).cloned().collect())
    }

    /// Does the pass; `order` is that in which it gave the stalled jobs back. Answers the doomed ones.
    pub(crate) fn recover(&mut self, order: &[String]) -> Vec<String> {
        self.checked_until = Some(self.now + PASS_MS);
        let mut doomed = Vec::new();
        for id in order {
            self.wait(id, true);
            let job = self.job(id);
            job.stalled += 1;
            if job.stalled > MOST_STALLED {
                job.is_doomed = true;
                doomed.push(id.clone());
            }
        }
        self.suspects = self.active.clone();
        doomed
    }

    /// Moves the clock; answers the keys that end by it, behind the queue's prefix.
    pub(crate) fn advance(&mut self, ms: i64) -> Vec<String> {
        self.now += ms;
        let now = self.now;
        let mut ended = Vec::new();
        self.locks.retain(|id, (_, end)| {
            let lives = *end > now;
            if !lives {
                ended.push(format!("{id}:lock"));
            }
            lives
        });
        self.holders.retain(|dedup, (_, end)| {
            let lives = end.is_none_or(|end| end > now);
            if !lives {
                ended.push(format!("de:d{dedup}"));
            }
            lives
        });
        if self.checked_until.is_some_and(|end| end <= now) {
            self.checked_until = None;
            ended.push("stalled-check".to_owned());
        }
        if self.started.is_some_and(|(_, end)| end <= now) {
            self.started = None;
            ended.push("limiter".to_owned());
        }
        ended
    }
}
