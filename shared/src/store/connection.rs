//! Asks a statement: over one of a few connections, within a limit, and once more where its
//! connection turns out to be dead.
//!
//! Every statement is unnamed and goes out with its parameters in one round trip, so that a pooler
//! in transaction mode may give each one another server.

use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::pool::Pool;
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

/// The way to the database.
pub(super) struct Connections {
    pool: Pool,
    health: AtomicU8,
}

impl Connections {
    /// At most `number` of them, and at least one.
    pub(super) fn new(database: Database, number: usize) -> Self {
        Self { pool: Pool::new(database, number), health: AtomicU8::new(Health::Unknown as u8) }
    }

    pub(super) fn database(&self) -> &Database {
        self.pool.database()
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

    /// [`Connections::rows`], with a limit.
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

    /// [`Connections::fold`], whatever is known of the database.
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
        let mut lease = self.pool.take();
        loop {
            let mut folded = start();
            let (live, reused) = lease.client().await?;
            let error = match live.run(limit, statement, params, |row| step(&mut folded, row)).await
            {
                Ok(()) => return Ok(folded),
                Err(error) => error,
            };
            if error.is_lost() {
                lease.forget(&live).await;
            }
            if replayed || !error.deserves_replay(reused) || begun.elapsed() >= limit {
                return Err(error);
            }
            replayed = true;
        }
    }

    /// Opens a connection for the next statement, unless one is open. What is known of the database
    /// stays as it is: the statement will tell.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn open(&self) -> Result<(), Error> {
        self.pool.open().await
    }

    /// Ends each connection once nobody uses it any more.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}
