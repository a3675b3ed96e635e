//! Whose turn it is when a tick serves several queues: each gets a share of the time by its weight, and
//! what somebody waits for goes before bulk.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The turns of one tick's queues.
///
/// A queue has used the time that its batches took, divided by its weight. The one that has used least
/// may always begin a batch; the others wait until it has used as much. Only queues that work or want to
/// are compared, so one that has nothing to do, or has failed, holds up nobody.
#[derive(Debug)]
pub(crate) struct Turns {
    queues: Mutex<Queues>,
    changed: Notify,
    /// Until then bulk waits for what is awaited in other queues; later weight alone counts, so that
    /// it is not put off for ever.
    bulk_from: Instant,
}

#[derive(Debug)]
struct Queues {
    accounts: Vec<Account>,
    /// The most that the one had used which had used least, whenever somebody was active: who comes
    /// later begins there.
    floor: f64,
}

#[derive(Debug)]
struct Account {
    weight: f64,
    /// Seconds of ended batches by weight.
    used: f64,
    /// When each batch under way began.
    under_way: Vec<Instant>,
    /// How many of them are the last ones that the queue wants.
    last: usize,
    /// Batches that wait for their turn.
    waiting: usize,
    /// Whether what it does, or wants to do, is awaited by somebody.
    awaited: bool,
}

impl Account {
    fn is_active(&self) -> bool {
        self.waiting > 0 || !self.under_way.is_empty()
    }

    /// Whether it has, or wants, more to do after what is under way.
    fn is_rival(&self) -> bool {
        self.waiting > 0 || self.under_way.len() > self.last
    }

    fn used_at(&self, now: Instant) -> f64 {
        let running: Duration = self.under_way.iter().map(|began| now.duration_since(*began)).sum();
        self.used + running.as_secs_f64() / self.weight
    }
}

/// Leave to work on one batch; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    queue: usize,
    began: Instant,
    is_last: bool,
}

impl Turns {
    /// Returns the turns of queues with these weights; one of 0 counts as 1.
    pub(crate) fn new(weights: impl Iterator<Item = u32>, bulk_from: Instant) -> Self {
        let account = |weight: u32| Account {
            weight: f64::from(weight.max(1)),
            used: 0.0,
            under_way: Vec::new(),
            last: 0,
            waiting: 0,
            awaited: false,
        };
        Self {
            queues: Mutex::new(Queues { accounts: weights.map(account).collect(), floor: 0.0 }),
            changed: Notify::new(),
            bulk_from,
        }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is the turn of `queue`, for what is `awaited` by somebody or is not.
    pub(crate) async fn begin(&self, queue: usize, awaited: bool) -> Turn<'_> {
        let _waiting = Waiting::begin(self, queue, awaited);
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let wait = self.wait(queue, now);
            let Some(until) = wait else {
                self.queues().accounts[queue].under_way.push(now);
                return Turn { turns: self, queue, began: now, is_last: false };
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Returns when to look again whether it is the turn of `queue`; `None` if it is.
    fn wait(&self, queue: usize, now: Instant) -> Option<Instant> {
        let queues = self.queues();
        let mine = &queues.accounts[queue];
        let is_early = now < self.bulk_from;
        let others = || {
            let others = queues.accounts.iter().enumerate().filter(|(other, _)| *other != queue);
            others.map(|(_, account)| account).filter(|account| account.is_rival())
        };
        if is_early && !mine.awaited && others().any(|other| other.awaited) {
            return Some(self.bulk_from);
        }
        let rivals = others().filter(|other| !is_early || other.awaited == mine.awaited);
        let (least, rival) = rivals
            .map(|rival| (rival.used_at(now), rival))
            .min_by(|(one, _), (other, _)| one.total_cmp(other))?;
        let ahead = mine.used_at(now) - least;
        // What the rival's batches use in the time until then is what it lacks.
        let pace = rival.under_way.len() as f64 / rival.weight;
        (ahead > 0.0).then(|| match pace > 0.0 {
            true => now + Duration::from_secs_f64((ahead / pace).clamp(0.001, 60.0)),
            // It waits, too: its own look comes first.
            false => now + Duration::from_millis(1),
        })
    }
}

impl Queues {
    /// Raises the floor to what that active queue has used which has used least.
    fn raise_floor(&mut self, now: Instant) {
        let active = self.accounts.iter().filter(|account| account.is_active());
        let least = active.map(|account| account.used_at(now)).min_by(f64::total_cmp);
        self.floor = self.floor.max(least.unwrap_or_default());
    }
}

impl Turn<'_> {
    /// Ends the batch and begins the next one of the same queue, if it is its turn again. Otherwise
    /// the turn goes on, and is to be given up.
    pub(crate) fn again(&mut self, awaited: bool) -> bool {
        let now = Instant::now();
        self.end(now);
        self.turns.queues().accounts[self.queue].awaited = awaited;
        let is_next = self.turns.wait(self.queue, now).is_none();
        (self.began, self.is_last) = (now, false);
        self.turns.queues().accounts[self.queue].under_way.push(now);
        is_next
    }

    /// Says that the queue wants nothing after this batch, so that nobody waits for its share meanwhile.
    pub(crate) fn make_last(&mut self) {
        if !std::mem::replace(&mut self.is_last, true) {
            self.turns.queues().accounts[self.queue].last += 1;
            self.turns.changed.notify_waiters();
        }
    }

    fn end(&self, now: Instant) {
        let mut queues = self.turns.queues();
        queues.raise_floor(now);
        let account = &mut queues.accounts[self.queue];
        account.last -= usize::from(self.is_last);
        if let Some(place) = account.under_way.iter().position(|began| *began == self.began) {
            account.under_way.swap_remove(place);
        }
        account.used += now.duration_since(self.began).as_secs_f64() / account.weight;
        drop(queues);
        self.turns.changed.notify_waiters();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.end(Instant::now());
    }
}

/// A batch that waits for its turn; also when the wait is given up.
struct Waiting<'a> {
    turns: &'a Turns,
    queue: usize,
}

impl<'a> Waiting<'a> {
    fn begin(turns: &'a Turns, queue: usize, awaited: bool) -> Self {
        let mut queues = turns.queues();
        queues.raise_floor(Instant::now());
        let floor = queues.floor;
        let account = &mut queues.accounts[queue];
        if !account.is_active() {
            // It begins beside the others, and has not saved up the time in which it had nothing to do.
            account.used = account.used.max(floor);
        }
        account.waiting += 1;
        account.awaited = awaited;
        drop(queues);
        turns.changed.notify_waiters();
        Self { turns, queue }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.turns.queues().accounts[self.queue].waiting -= 1;
        self.turns.changed.notify_waiters();
    }
}
