//! Keeps a few connections, each opened when it is first needed and replaced when it is dead.
//!
//! A statement takes an open connection that nothing runs on. Only where there is none another one is
//! opened, up to their number; after that statements share the least busy one, which answers them in
//! order. So a database with one caller at a time sees one connection, whatever their number may be.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::live::Live;
use super::{Database, Error};

/// For so long after a further connection was refused, those that are open are shared instead: a role, a
/// pooler or a full server may allow no more of them.
const CONTENT: Duration = Duration::from_secs(60);

/// The connections of a store.
pub(super) struct Pool {
    database: Database,
    slots: Vec<Slot>,
    uses: Mutex<Uses>,
}

/// The place of a connection. It is held while connecting: whoever comes meanwhile waits for the same
/// connection.
type Slot = tokio::sync::Mutex<Option<Arc<Live>>>;

/// What is known of the slots without waiting for them.
struct Uses {
    slots: Vec<Use>,
    /// When a further connection was last refused.
    refused: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct Use {
    state: State,
    taken: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Open,
    Opening,
    #[default]
    Closed,
}

impl Pool {
    /// At most `connections`, and at least one.
    pub(super) fn new(database: Database, connections: usize) -> Self {
        let connections = connections.max(1);
        Self {
            database,
            slots: (0..connections).map(|_| Slot::default()).collect(),
            uses: Mutex::new(Uses { slots: vec![Use::default(); connections], refused: None }),
        }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Takes a connection for one statement. Opens nothing yet.
    pub(super) fn take(&self) -> Lease<'_> {
        let mut uses = self.uses();
        let slot = uses.best();
        uses.slots[slot].taken += 1;
        Lease { pool: self, slot }
    }

    /// Opens the connection that the next statement would take, if none is open.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn open(&self) -> Result<(), Error> {
        let slot = self.uses().best();
        // Not taken: the next statement is to wait for this one, and not to open another.
        self.open_in(slot).await.map(drop)
    }

    async fn open_in(&self, at: usize) -> Result<(Arc<Live>, bool), Error> {
        let mut slot = self.slots[at].lock().await;
        if let Some(live) = slot.as_ref()
            && live.is_alive().await
        {
            return Ok((live.clone(), true));
        }
        *slot = None;
        let opening = Opening::begin(self, at);
        let live = Arc::new(Live::new(self.database.connect().await?, self.database.clone()));
        *slot = Some(live.clone());
        opening.succeed();
        Ok((live, false))
    }

    fn note(&self, slot: usize, state: State) {
        self.uses().slots[slot].state = state;
    }

    /// Ends each connection once nobody uses it any more.
    pub(super) async fn close(&self) {
        for (at, slot) in self.slots.iter().enumerate() {
            *slot.lock().await = None;
            self.note(at, State::Closed);
        }
    }

    fn uses(&self) -> MutexGuard<'_, Uses> {
        // Nothing panics while it is held.
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Uses {
    /// The slot that the next statement takes.
    fn best(&self) -> usize {
        let content = self.refused.is_some_and(|at| at.elapsed() < CONTENT);
        let may_open = !content || self.slots.iter().all(|slot| slot.state == State::Closed);
        let cost = |(_, slot): &(usize, &Use)| match (slot.state, slot.taken) {
            // The first of those that are free: the others may rest.
            (State::Open, 0) => (0, 0),
            (_, 0) if may_open => (1, 0),
            (_, 0) => (3, 0),
            (_, taken) => (2, taken),
        };
        self.slots.iter().enumerate().min_by_key(cost).map_or(0, |(at, _)| at)
    }

    /// The slot to share for whoever could not open a connection: one that is open, or about to be.
    fn other(&self) -> Option<usize> {
        let others = self.slots.iter().enumerate().filter(|(_, slot)| slot.state != State::Closed);
        others.min_by_key(|(_, slot)| (slot.state, slot.taken)).map(|(at, _)| at)
    }
}

/// A statement's share of a connection, until it is dropped.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    slot: usize,
}

impl Lease<'_> {
    /// Returns the connection, which is alive as far as can be told, and whether it was used before.
    /// Where a further one cannot be opened, the statement shares one that is open.
    ///
    /// # Errors
    /// There is none, and none can be opened.
    pub(super) async fn client(&mut self) -> Result<(Arc<Live>, bool), Error> {
        // One that is about to be open may be refused as well.
        let mut others = self.pool.slots.len() - 1;
        loop {
            match self.pool.open_in(self.slot).await {
                Err(_) if others > 0 && self.share() => others -= 1,
                ended => return ended,
            }
        }
    }

    /// Takes another connection instead of one that cannot be opened. Whether there is one.
    fn share(&mut self) -> bool {
        let mut uses = self.pool.uses();
        let Some(other) = uses.other() else { return false };
        uses.slots[self.slot].taken -= 1;
        uses.slots[other].taken += 1;
        uses.refused = Some(Instant::now());
        self.slot = other;
        true
    }

    /// Forgets a connection that turned out to be dead.
    pub(super) async fn forget(&self, dead: &Arc<Live>) {
        let mut slot = self.pool.slots[self.slot].lock().await;
        if slot.as_ref().is_some_and(|live| Arc::ptr_eq(live, dead)) {
            *slot = None;
            self.pool.note(self.slot, State::Closed);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.uses().slots[self.slot].taken -= 1;
    }
}

/// Marks its slot as closed again unless the connection was opened.
struct Opening<'a> {
    pool: &'a Pool,
    slot: usize,
    opened: bool,
}

impl<'a> Opening<'a> {
    fn begin(pool: &'a Pool, slot: usize) -> Self {
        pool.note(slot, State::Opening);
        Self { pool, slot, opened: false }
    }

    fn succeed(mut self) {
        self.opened = true;
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.pool.note(self.slot, if self.opened { State::Open } else { State::Closed });
    }
}
