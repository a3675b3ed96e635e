//! One connection, opened when it is first needed and replaced when it is dead.
//!
//! Every statement is unnamed and goes out with its parameters in one round trip, so that a pooler
//! in transaction mode may give each one another server. Statements of several tasks share the
//! connection: they are sent as they come and answered in order.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::TryStreamExt as _;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::{Database, Error};

/// After this long without use (the environment may have been frozen meanwhile) a connection is
/// asked for a sign of life first.
const CHECK_AFTER: Duration = Duration::from_secs(5);

/// How long that sign may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// A question that waits for longer counts as unanswered until it is answered: whoever asked may have
/// given up by then. Below the second that a health check waits.
const SLOW: Duration = Duration::from_millis(900);

/// How long a statement may keep us waiting for its next row.
const PATIENCE: Duration = Duration::from_secs(30);

/// A statement's parameters with their types.
pub(super) type Params<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// What the last statement said of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// None was sent yet.
    Unknown,
    /// It was answered, be it with an error of its own.
    Up,
    /// It could not be answered, or has not been yet and is slow.
    Down,
}

/// A statement: a name for messages, and its text.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) text: String,
}

pub(super) struct Connection {
    database: Database,
    live: Mutex<Option<Arc<Live>>>,
    health: AtomicU8,
}

impl Connection {
    pub(super) fn new(database: Database) -> Self {
        Self { database, live: Mutex::default(), health: AtomicU8::new(Health::Unknown as u8) }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            up if up == Health::Up as u8 => Health::Up,
            down if down == Health::Down as u8 => Health::Down,
            _ => Health::Unknown,
        }
    }

    /// Runs a statement and collects its rows: for answers that are known to be small.
    pub(super) async fn rows(
        &self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.fold(statement, params, Vec::new, |rows: &mut Vec<Row>, row| {
            rows.push(row);
            Ok(())
        })
        .await
    }

    /// Runs a statement and feeds its rows to `step` as they come. A row that `step` refuses is an
    /// error of the statement.
    ///
    /// All our statements may run twice without harm, so one whose connection turns out to be dead
    /// is sent once more over a new one, into another `start()`.
    pub(super) async fn fold<T>(
        &self,
        statement: &Statement,
        params: Params<'_>,
        start: impl Fn() -> T,
        step: impl FnMut(&mut T, Row) -> Result<(), tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let mut answer = pin!(self.ask(statement, params, start, step));
        let answer = match timeout(SLOW, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.note(Health::Down);
                answer.await
            }
        };
        self.note(match &answer {
            Err(error) if error.is_unavailable() => Health::Down,
            _ => Health::Up,
        });
        answer
    }

    fn note(&self, health: Health) {
        self.health.store(health as u8, Ordering::Relaxed);
    }

    /// [`Connection::fold`], whatever is known of the database.
    async fn ask<T>(
        &self,
        statement: &Statement,
        params: Params<'_>,
        start: impl Fn() -> T,
        mut step: impl FnMut(&mut T, Row) -> Result<(), tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let mut replayed = false;
        loop {
            let mut folded = start();
            let (reused, error) = match self.client().await {
                Ok((live, reused)) => {
                    match live.run(statement, params, |row| step(&mut folded, row)).await {
                        Ok(()) => return Ok(folded),
                        Err(error) => {
                            if error.is_lost() {
                                self.forget(&live).await;
                            }
                            (reused, error)
                        }
                    }
                }
                Err(error) => return Err(error),
            };
            if replayed || !error.deserves_replay(reused) {
                return Err(error);
            }
            replayed = true;
        }
    }

    /// A connection that is alive as far as can be told, and whether it was used before.
    async fn client(&self) -> Result<(Arc<Live>, bool), Error> {
        // Held while connecting: whoever comes meanwhile waits for the same connection.
        let mut slot = self.live.lock().await;
        if let Some(live) = slot.as_ref()
            && live.is_alive().await
        {
            return Ok((live.clone(), true));
        }
        *slot = None;
        let live = Arc::new(Live::new(self.database.connect().await?));
        *slot = Some(live.clone());
        Ok((live, false))
    }

    /// Ends the connection once nobody uses it any more.
    pub(super) async fn close(&self) {
        *self.live.lock().await = None;
    }

    async fn forget(&self, dead: &Arc<Live>) {
        let mut slot = self.live.lock().await;
        if slot.as_ref().is_some_and(|live| Arc::ptr_eq(live, dead)) {
            *slot = None;
        }
    }
}

/// An open connection.
struct Live {
    client: Client,
    used: std::sync::Mutex<Used>,
    /// A statement was given up halfway: its answer may block the ones behind it.
    abandoned: AtomicBool,
}

/// When a connection was last used, by two clocks: while the environment is frozen, one of them may
/// stand still.
#[derive(Clone, Copy)]
struct Used {
    monotonic: Instant,
    wall: SystemTime,
}

impl Used {
    #[allow(clippy::disallowed_methods, reason = "a frozen environment is to be noticed")]
    fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    fn age(self) -> Duration {
        // A wall clock that was set back says nothing.
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

impl Live {
    fn new(client: Client) -> Self {
        Self { client, used: std::sync::Mutex::new(Used::now()), abandoned: AtomicBool::new(false) }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        // Nothing panics while it is held.
        self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn is_alive(&self) -> bool {
        if self.client.is_closed() {
            return false;
        }
        let idle = self.used().age();
        if idle < CHECK_AFTER && !self.abandoned.load(Ordering::Relaxed) {
            return true;
        }
        let alive =
            matches!(timeout(CHECK_TIMEOUT, self.client.check_connection()).await, Ok(Ok(())));
        self.abandoned.store(false, Ordering::Relaxed);
        alive
    }

    async fn run(
        &self,
        statement: &Statement,
        params: Params<'_>,
        mut step: impl FnMut(Row) -> Result<(), tokio_postgres::Error>,
    ) -> Result<(), Error> {
        let failed = |error| Error::statement(statement.name, &error);
        let silent = |_| {
            let limit = PATIENCE.as_secs();
            Error::lost(format!("{}: Postgres kept silent for {limit} s", statement.name))
        };
        let unfinished = Unfinished(self);
        let params = params.iter().map(|(value, of)| (*value, of.clone()));
        let rows = timeout(PATIENCE, self.client.query_typed_raw(&statement.text, params))
            .await
            .map_err(silent)?
            .map_err(failed);
        let mut rows = match rows {
            Ok(rows) => pin!(rows),
            Err(error) => {
                unfinished.finish();
                return Err(error);
            }
        };
        loop {
            match timeout(PATIENCE, rows.try_next()).await.map_err(silent)? {
                Ok(Some(row)) => step(row).map_err(failed)?,
                end => {
                    unfinished.finish();
                    return end.map(drop).map_err(failed);
                }
            }
        }
    }
}

/// Marks its connection as abandoned unless the statement came to its end.
struct Unfinished<'a>(&'a Live);

impl Unfinished<'_> {
    fn finish(self) {
        *self.0.used() = Used::now();
        std::mem::forget(self);
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }
}
