//! One connection, opened when it is first needed and replaced when it is dead.
//!
//! Every statement is unnamed and goes out with its parameters in one round trip, so that a pooler
//! in transaction mode may give each one another server. Statements of several tasks share the
//! connection: they are sent as they come and answered in order.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::live::Live;
use super::{Database, Error};

/// A question that waits for longer counts as unanswered until it is answered: whoever asked may have
/// given up by then. Below the second that a health check waits.
const SLOW: Duration = Duration::from_millis(900);

/// How long a statement may take, if nobody says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

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
        self.rows_within(PATIENCE, statement, params).await
    }

    /// [`Connection::rows`], with a limit.
    pub(super) async fn rows_within(
        &self,
        limit: Duration,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Error> {
        self.fold(limit, statement, params, Vec::new, |rows: &mut Vec<Row>, row| {
            rows.push(row);
            Ok(())
        })
        .await
    }

    /// Runs a statement and feeds its rows to `step` as they come. A row that `step` refuses is an
    /// error of the statement. What takes longer than `limit` is cancelled.
    ///
    /// All our statements may run twice without harm, so one whose connection turns out to be dead
    /// is sent once more over a new one, into another `start()`.
    pub(super) async fn fold<T>(
        &self,
        limit: Duration,
        statement: &Statement,
        params: Params<'_>,
        start: impl Fn() -> T,
        step: impl FnMut(&mut T, Row) -> Result<(), tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let mut answer = pin!(self.ask(limit, statement, params, start, step));
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
        limit: Duration,
        statement: &Statement,
        params: Params<'_>,
        start: impl Fn() -> T,
        mut step: impl FnMut(&mut T, Row) -> Result<(), tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let mut replayed = false;
        loop {
            let mut folded = start();
            let (reused, error) = match self.client().await {
                Ok((live, reused)) => {
                    match live.run(limit, statement, params, |row| step(&mut folded, row)).await {
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
            if replayed || !error.deserves_replay(reused) || begun.elapsed() >= limit {
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
        let live = Arc::new(Live::new(self.database.connect().await?, self.database.clone()));
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
