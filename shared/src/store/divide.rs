//! Divides a batch that fails as a whole until what fails stands alone, within the batch's time.
//!
//! What a healthy batch needs is one call. When that fails over one of its rows, halves are tried; when
//! it fails over the moment (a time limit, a lock, a lack of memory), tenths, since each further failure
//! takes as long as its limit. What does not fit beside others is done alone at last, with all the time
//! that is left, and is remembered: the next time it does not hold the others up at all.
//!
//! A failure blames a part only if another part was done. What hits every one of them (a role's
//! `statement_timeout`, a trigger that always raises) is nobody's row but the database.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::connection::PATIENCE;
use super::{Error, ErrorKind};

/// The least that a part is given: what a healthy one needs over a slow network.
const LEAST: Duration = Duration::from_millis(500);

/// With less than this there is no use in beginning.
const NOTHING: Duration = Duration::from_millis(10);

/// Into so many parts a batch falls that met a bad moment.
const PARTS: usize = 10;

/// The share of the time left that a part may take: none takes it all, however many are slow.
const SHARE: u32 = 8;

/// What was done alone within this fits into a batch again.
const QUICK: Duration = Duration::from_secs(1);

/// No more are remembered.
const REMEMBERED: usize = 10_000;

/// What did not fit into a batch, with the longest time that each was given in vain.
#[derive(Default)]
pub(super) struct Slow(Mutex<HashMap<String, Duration>>);

impl Slow {
    fn given(&self) -> MutexGuard<'_, HashMap<String, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any of these did not fit.
    pub(super) fn knows<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        let given = self.given();
        names.any(|name| given.contains_key(name))
    }

    fn note(&self, name: &str, limit: Duration) {
        let mut given = self.given();
        if given.len() >= REMEMBERED {
            given.clear();
        }
        let longest = given.entry(name.to_owned()).or_default();
        *longest = limit.max(*longest);
    }

    fn forget(&self, name: &str) {
        self.given().remove(name);
    }
}

fn left_until(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

fn bounded(limit: Duration, left: Duration) -> Duration {
    limit.max(LEAST).min(left).min(PATIENCE)
}

/// A batch of items, each of which has a name; several may have one.
pub(super) struct Batch<'a, I> {
    pub(super) items: &'a [I],
    pub(super) name: fn(&I) -> &str,
    pub(super) slow: &'a Slow,
    /// Until when it must be done.
    pub(super) until: Instant,
}

/// An item's answer, or its own failure. An [overdue](Error::is_overdue) one had too little time here.
pub(super) type Answer<T> = Result<T, Error>;

impl<I: Copy> Batch<'_, I> {
    /// Has `call` answer the items, some of them at a time, within a limit; it gives one answer an item,
    /// in order.
    ///
    /// # Errors
    /// When the failure is the database's.
    pub(super) async fn divide<'f, T>(
        &self,
        call: impl Fn(Vec<I>, Duration) -> BoxFuture<'f, Result<Vec<T>, Error>>,
    ) -> Result<Vec<Answer<T>>, Error> {
        let begun = Instant::now();
        let mut answers: Vec<Option<Answer<T>>> = self.items.iter().map(|_| None).collect();
        let items = |part: &[usize]| part.iter().map(|at| self.items[*at]).collect();
        let (alone, rest) = self.apart();
        let mut alone = VecDeque::from(alone);
        let mut parts = VecDeque::from([rest]);
        let mut until = self.until;
        let mut whole = self.items.len() > 1;
        if !whole {
            alone.extend(parts.drain(..).flatten());
        }
        while let Some(part) = parts.pop_front() {
            let left = left_until(until);
            if part.is_empty() || left < NOTHING {
                alone.extend(part);
                continue;
            }
            let limit = bounded(if whole { left / 2 } else { left / SHARE }, left);
            match call(items(&part), limit).await {
                Ok(found) => {
                    for (at, found) in part.into_iter().zip(found) {
                        answers[at] = Some(Ok(found));
                    }
                }
                Err(error) if !error.may_spare_a_part() => return Err(error),
                Err(error) if part.len() > 1 => {
                    let into = if error.kind() == ErrorKind::Data { 2 } else { PARTS };
                    parts.extend(part.chunks(part.len().div_ceil(into)).map(<[usize]>::to_vec));
                    if whole {
                        // The other half of the time is for those that have to be done alone.
                        until = Instant::now() + left_until(self.until) / 2;
                    }
                }
                Err(error) if error.is_overdue() => {
                    self.slow.note(self.name_of(part[0]), limit);
                    alone.extend(part);
                }
                Err(error) => answers[part[0]] = Some(Err(error)),
            }
            whole = false;
        }
        // First those that there was no time to try, then those that were given the least: one that no
        // time is enough for holds up no other.
        if alone.len() > 1 {
            let given = self.slow.given();
            alone.make_contiguous().sort_by_key(|at| given.get(self.name_of(*at)).copied());
        }
        while let Some(at) = alone.pop_front() {
            let (left, asked) = (left_until(self.until), Instant::now());
            if left < NOTHING {
                break;
            }
            let tried = self.items.len() == 1 || self.slow.knows(std::iter::once(self.name_of(at)));
            let limit = bounded(if tried { left } else { left / SHARE }, left);
            match call(items(&[at]), limit).await {
                Ok(found) => {
                    if asked.elapsed() < QUICK {
                        self.slow.forget(self.name_of(at));
                    }
                    answers[at] = found.into_iter().next().map(Ok);
                }
                Err(error) if !error.may_spare_a_part() => return Err(error),
                Err(error) if error.is_overdue() => {
                    self.slow.note(self.name_of(at), limit);
                    if !tried {
                        alone.push_back(at);
                    }
                    // With all the patience that there is, it is the item that is too slow.
                    let fair = limit == PATIENCE;
                    answers[at] = Some(Err(if fair { error.in_good_time() } else { error }));
                }
                Err(error) => answers[at] = Some(Err(error)),
            }
        }
        let answers = answers.into_iter().map(|it| it.unwrap_or_else(|| Err(Error::unfinished())));
        self.judge(answers.collect(), begun)
    }

    fn name_of(&self, at: usize) -> &str {
        (self.name)(&self.items[at])
    }

    /// The places of those that did not fit the last time, and of the others.
    fn apart(&self) -> (Vec<usize>, Vec<usize>) {
        let given = self.slow.given();
        (0..self.items.len()).partition(|at| given.contains_key(self.name_of(*at)))
    }

    /// Whose fault the failures are.
    fn judge<T>(&self, answers: Vec<Answer<T>>, begun: Instant) -> Result<Vec<Answer<T>>, Error> {
        let failures: Vec<&Error> = answers.iter().filter_map(|it| it.as_ref().err()).collect();
        let [first, rest @ ..] = failures.as_slice() else { return Ok(answers) };
        if failures.len() < answers.len() {
            return Ok(answers);
        }
        let overdue = failures.iter().find(|error| error.is_overdue());
        if let Some(overdue) = overdue {
            // So long without any answer, that is no batch too large.
            if begun.elapsed() >= PATIENCE {
                return Err((*overdue).clone());
            }
            return Ok(answers.into_iter().map(|_| Err(Error::unfinished())).collect());
        }
        let names: HashSet<&str> = self.items.iter().map(self.name).collect();
        let moment = first.kind() == ErrorKind::Busy;
        let alike = rest.iter().all(|other| other.is_like(first));
        if alike && (moment || names.len() > 1) { Err((*first).clone()) } else { Ok(answers) }
    }
}
