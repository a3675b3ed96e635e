//! Steps of operators, of time, and of a peer that does not keep to the rules.

use std::num::NonZeroU32;
use std::time::Duration;

use shared::queue::{self, Ended, Error, RateLimit, Refusal};
use shared::redis::Command;

use super::bench::Bench;
use super::states::State;
use super::steps::{Fate, Pick, RATE_MS, Step};

impl Bench<'_> {
    pub(crate) async fn take(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Enqueue { ref jobs, fate } => self.enqueue(jobs, fate).await,
            Step::Claim { ask, fate } => self.claim(ask, fate).await,
            Step::Settle { claim, ref ends, next, fate } => {
                self.settle(claim, ends, next, fate).await
            }
            Step::Renew { claim } => self.renew(claim).await,
            Step::Advance(ms) => self.advance(ms).await,
            Step::Recover { fate } => self.recover(fate).await,
            Step::Pause { fate } => {
                self.model.is_paused = true;
                self.way(fate).pause().await.map_err(|e| e.to_string())
            }
            Step::Resume { fate } => {
                self.model.is_paused = false;
                self.way(fate).resume().await.map_err(|e| e.to_string())
            }
            Step::Promote { job, fate } => self.promote(job, fate).await,
            Step::PromoteAll { fate } => self.promote_all(fate).await,
            Step::Retry { job, failed, reset, fate } => self.retry(job, failed, reset, fate).await,
            Step::RetryAll { failed, fate } => self.retry_all(failed, fate).await,
            Step::Remove { job, fate } => self.remove(job, fate).await,
            Step::Clean { state, grace, limit, fate } => {
                self.clean(state, grace, limit, fate).await
            }
            Step::Concurrency(most) => {
                self.model.concurrency = most;
                let most = most.and_then(NonZeroU32::new);
                self.queue.limit_concurrency(most).await.map_err(|e| e.to_string())
            }
            Step::Rate(max) => {
                self.model.rate = max;
                let duration_ms = NonZeroU32::new(RATE_MS as u32).expect("not 0");
                let rate = max.and_then(NonZeroU32::new).map(|max| RateLimit { max, duration_ms });
                self.queue.limit_rate(rate).await.map_err(|e| e.to_string())
            }
            Step::Snatch { job } => self.snatch(job).await,
        }
    }

    /// The job that is meant: of those in a state, or of all that there ever were.
    fn pick(&self, pick: Pick, fits: impl Fn(State) -> bool) -> Option<String> {
        let fitting: Vec<&String> = match pick.fit {
            true => self
                .model
                .jobs
                .iter()
                .filter(|(_, job)| fits(job.state))
                .map(|(id, _)| id)
                .collect(),
            false => Vec::new(),
        };
        let all = if fitting.is_empty() { self.model.known.iter().collect() } else { fitting };
        let place = usize::from(pick.n).checked_rem(all.len())?;
        Some(all[place].clone())
    }

    async fn promote(&mut self, pick: Pick, fate: Fate) -> Result<(), String> {
        let Some(id) = self.pick(pick, |state| state == State::Delayed) else { return Ok(()) };
        let told = told(self.way(fate).promote(&id).await)?;
        let expected = match self.model.state(&id) {
            None => Told::Missing,
            Some(State::Delayed) => {
                self.model.wait_or_rank(&id);
                self.model.job(&id).delay = 0;
                Told::Done
            }
            Some(_) => Told::NotInState,
        };
        same(told, expected)
    }

    async fn promote_all(&mut self, fate: Fate) -> Result<(), String> {
        let moved = self.way(fate).promote_all().await.map_err(|e| e.to_string())?;
        let due: Vec<String> = self.model.delayed.iter().map(|(_, id)| id.clone()).collect();
        for id in &due {
            self.model.wait(id, false);
        }
        same(moved, due.len() as u64)
    }

    async fn retry(
        &mut self,
        pick: Pick,
        failed: bool,
        reset: bool,
        fate: Fate,
    ) -> Result<(), String> {
        let wanted = if failed { State::Failed } else { State::Completed };
        let Some(id) = self.pick(pick, |state| state == wanted) else { return Ok(()) };
        let told = told(self.way(fate).retry(&id, ended(failed), reset).await)?;
        let expected = match self.model.state(&id) {
            None => Told::Missing,
            Some(state) if state == wanted => {
                self.revive(&id);
                if reset {
                    let job = self.model.job(&id);
                    (job.attempts_made, job.attempts_started) = (0, 0);
                }
                let job = self.model.job(&id);
                if job.priority > 0 && !self.model.is_version_five {
                    self.model.rank(&id, false);
                } else {
                    let is_lifo = self.model.job(&id).spec.lifo;
                    self.model.wait(&id, is_lifo);
                }
                Told::Done
            }
            Some(_) => Told::NotInState,
        };
        same(told, expected)
    }

    fn revive(&mut self, id: &str) {
        let job = self.model.job(id);
        (job.finished, job.processed) = (None, None);
    }

    async fn retry_all(&mut self, failed: bool, fate: Fate) -> Result<(), String> {
        let moved = self.way(fate).retry_all(ended(failed)).await.map_err(|e| e.to_string())?;
        let set = if failed { &self.model.failed } else { &self.model.completed };
        let ids: Vec<String> = set.iter().map(|(_, id)| id.clone()).collect();
        for id in &ids {
            self.revive(id);
            self.model.wait(id, false);
        }
        same(moved, ids.len() as u64)
    }

    async fn remove(&mut self, pick: Pick, fate: Fate) -> Result<(), String> {
        let Some(id) = self.pick(pick, |_| true) else { return Ok(()) };
        let waiting = if self.model.is_paused { "paused" } else { "wait" };
        let answer = self.way(fate).remove(&id).await;
        let expected = match self.model.state(&id) {
            _ if self.model.locks.contains_key(&id) => Err(Told::Locked),
            None => Err(Told::Missing),
            Some(state) => {
                self.model.remove(&id);
                Ok(match state {
                    State::Waiting => waiting,
                    State::Prioritized => "prioritized",
                    State::Delayed => "delayed",
                    State::Active => "active",
                    State::Completed => "completed",
                    State::Failed => "failed",
                })
            }
        };
        match (answer, expected) {
            (Ok(state), Ok(expected)) if state == expected => Ok(()),
            (Err(error), Err(expected)) => same(told(Err(error))?, expected),
            (answer, expected) => Err(format!("{id}: {answer:?}, not {expected:?}")),
        }
    }

    async fn clean(
        &mut self,
        state: u8,
        grace: i64,
        limit: Option<u64>,
        fate: Fate,
    ) -> Result<(), String> {
        let states = [
            queue::State::Completed,
            queue::State::Failed,
            queue::State::Delayed,
            queue::State::Wait,
            queue::State::Paused,
            queue::State::Prioritized,
            queue::State::Active,
        ];
        let state = states[usize::from(state) % states.len()];
        // The model knows no order of active jobs.
        let limit = limit.filter(|_| state != queue::State::Active);
        let grace = Duration::from_millis(grace as u64);
        let answer = self.way(fate).clean(state, grace, limit).await;
        let mut gone = answer.map_err(|e| e.to_string())?;
        let mut expected = self.cleanable(state, grace.as_millis() as i64, limit);
        for id in &expected {
            self.model.remove(id);
        }
        gone.sort();
        expected.sort();
        same(gone, expected)
    }

    /// What is old enough among the oldest `limit` jobs.
    fn cleanable(&self, state: queue::State, grace: i64, limit: Option<u64>) -> Vec<String> {
        let model = &self.model;
        let before = model.now - grace;
        let of = |set: &std::collections::BTreeSet<(i64, String)>| -> Vec<String> {
            set.iter().map(|(_, id)| id.clone()).collect()
        };
        let ended = |set: &std::collections::BTreeSet<(i64, String)>| -> Vec<String> {
            set.iter().filter(|(at, _)| *at <= before).map(|(_, id)| id.clone()).collect()
        };
        let page: Vec<String> = match state {
            queue::State::Completed => ended(&model.completed),
            queue::State::Failed => ended(&model.failed),
            queue::State::Delayed => of(&model.delayed),
            queue::State::Wait if !model.is_paused => model.waiting.iter().cloned().collect(),
            queue::State::Paused if model.is_paused => model.waiting.iter().cloned().collect(),
            queue::State::Wait | queue::State::Paused | queue::State::WaitingChildren => Vec::new(),
            queue::State::Prioritized => {
                model.prioritized.iter().map(|(_, id)| id.clone()).collect()
            }
            queue::State::Active => {
                let unlocked = |id: &&String| !model.locks.contains_key(*id);
                model.active.iter().filter(unlocked).cloned().collect()
            }
        };
        let most = limit.map_or(usize::MAX, |most| most as usize);
        let is_old = |id: &String| {
            let job = &model.jobs[id];
            let since = match state {
                queue::State::Completed | queue::State::Failed => i64::MIN,
                queue::State::Prioritized => job.timestamp,
                _ => job.processed.unwrap_or(job.timestamp),
            };
            since <= before
        };
        page.into_iter().take(most).filter(is_old).collect()
    }

    async fn snatch(&mut self, pick: Pick) -> Result<(), String> {
        let Some(id) = self.pick(pick, |state| state == State::Active) else { return Ok(()) };
        if self.model.state(&id) != Some(State::Active) {
            return Ok(());
        }
        let list = if self.model.is_paused { "paused" } else { "wait" };
        let push = Command::new("RPUSH").arg(self.key(list)).arg(id.as_str());
        let leave = Command::new("LREM").arg(self.key("active")).arg("0").arg(id.as_str());
        self.send(vec![push, leave]).await?;
        self.model.wait(&id, true);
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
enum Told {
    Done,
    Missing,
    NotInState,
    Locked,
}

fn told(answer: Result<(), Error>) -> Result<Told, String> {
    Ok(match answer {
        Ok(()) => Told::Done,
        Err(Error::Refused(Refusal::Missing { .. })) => Told::Missing,
        Err(Error::Refused(Refusal::NotInState { .. })) => Told::NotInState,
        Err(Error::Refused(Refusal::Locked { .. })) => Told::Locked,
        Err(error) => return Err(error.to_string()),
    })
}

fn same<T: PartialEq + std::fmt::Debug>(got: T, expected: T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("answered {got:?}, not {expected:?}")) }
}

fn ended(failed: bool) -> Ended {
    if failed { Ended::Failed } else { Ended::Completed }
}
