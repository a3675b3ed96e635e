//! An open connection, and how a statement on it is given up: cancelled in Postgres, where it would go
//! on for nobody and keep its locks, and others waiting.
//!
//! A request to cancel names a connection, not a statement. It may strike late, and then whatever runs
//! there by then. So it is sent only while nothing else of ours is under way on the connection, and
//! unless the answer shows that it has struck, the connection is used no more.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::TryStreamExt as _;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::connection::{Params, Statement};
use super::{Database, Error};

/// After this long without use (the environment may have been frozen meanwhile) a connection is
/// asked for a sign of life first.
const CHECK_AFTER: Duration = Duration::from_secs(5);

/// How long that sign may take, and the answer of a cancelled statement.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// So often a statement is asked to end, before its connection counts as dead.
const REQUESTS: u32 = 3;

/// How long a statement that its caller gave up may go on, before it is cancelled: most are done by then.
const GRACE: Duration = Duration::from_millis(100);

/// An open connection.
pub(super) struct Live {
    client: Client,
    database: Database,
    used: std::sync::Mutex<Used>,
    /// See the constants below.
    state: AtomicU8,
    /// Statements under way.
    running: AtomicUsize,
}

/// May be used.
const FIT: u8 = 0;
/// A statement was given up halfway: its answer may block the ones behind it.
const ABANDONED: u8 = 1;
/// A request to cancel may strike whatever comes next.
const RETIRED: u8 = 2;

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

/// How a statement failed.
enum Failed {
    /// By its own answer, which is over.
    Answered(tokio_postgres::Error),
    /// By a row that we cannot read; more may come.
    Unread(tokio_postgres::Error),
}

impl Live {
    pub(super) fn new(client: Client, database: Database) -> Self {
        Self {
            client,
            database,
            used: std::sync::Mutex::new(Used::now()),
            state: AtomicU8::new(FIT),
            running: AtomicUsize::new(0),
        }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        // Nothing panics while it is held.
        self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether the connection can be used, as far as can be told.
    pub(super) async fn is_alive(&self) -> bool {
        let state = self.state.load(Ordering::SeqCst);
        if self.client.is_closed() || state == RETIRED {
            return false;
        }
        // A question would wait behind a statement that runs, which has a limit of its own.
        let is_running = self.running.load(Ordering::SeqCst) > 0;
        if state == FIT && (is_running || self.used().age() < CHECK_AFTER) {
            return true;
        }
        let answered =
            matches!(timeout(CHECK_TIMEOUT, self.client.check_connection()).await, Ok(Ok(())));
        // Unless the abandoned statement has been cancelled meanwhile.
        answered && (state == FIT || self.become_from(ABANDONED, FIT))
    }

    fn become_from(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Runs a statement to its end, and at most for `limit`.
    pub(super) async fn run(
        self: &Arc<Self>,
        limit: Duration,
        statement: &Statement,
        params: Params<'_>,
        mut step: impl FnMut(Row) -> Result<(), tokio_postgres::Error>,
    ) -> Result<(), Error> {
        let unfinished = Unfinished::begin(self);
        let params = params.iter().map(|(value, of)| (*value, of.clone()));
        let mut answer = pin!(async {
            let rows = self.client.query_typed_raw(&statement.text, params).await;
            let mut rows = pin!(rows.map_err(Failed::Answered)?);
            while let Some(row) = rows.try_next().await.map_err(Failed::Answered)? {
                step(row).map_err(Failed::Unread)?;
            }
            Ok(())
        });
        let ended = match timeout(limit, &mut answer).await {
            Ok(ended) => ended,
            Err(_) => {
                self.state.store(RETIRED, Ordering::SeqCst);
                match self.give_up(&mut answer).await {
                    None => {
                        let limit = limit.as_secs_f32();
                        let name = statement.name;
                        return Err(Error::lost(format!(
                            "{name}: Postgres kept silent for {limit} s"
                        )));
                    }
                    Some(Err(Failed::Answered(error)))
                        if error.code() == Some(&SqlState::QUERY_CANCELED) =>
                    {
                        unfinished.finish();
                        return Err(Error::overdue(statement.name, limit));
                    }
                    // It came to its end by itself after all.
                    Some(ended) => ended,
                }
            }
        };
        let failed = |error| Error::statement(statement.name, &error);
        match ended {
            Err(Failed::Unread(error)) => Err(failed(error)),
            Err(Failed::Answered(error)) => {
                unfinished.finish();
                Err(failed(error))
            }
            Ok(()) => {
                unfinished.finish();
                Ok(())
            }
        }
    }

    /// Cancels the only statement under way, and hears its `answer` out. A request that comes to nothing
    /// (a server may have no hands free, or have been asked too early) is made again.
    async fn give_up<T>(
        &self,
        mut answer: impl Future<Output = Result<T, Failed>> + Unpin,
    ) -> Option<Result<T, Failed>> {
        for request in 1..=REQUESTS {
            let heard = self.cancel(1).await;
            if let Ok(ended) = timeout(CHECK_TIMEOUT, &mut answer).await {
                let struck = matches!(&ended, Err(Failed::Answered(error))
                    if error.code() == Some(&SqlState::QUERY_CANCELED));
                if request == 1 && heard && struck {
                    self.become_from(RETIRED, FIT);
                }
                return Some(ended);
            }
        }
        None
    }

    /// Asks Postgres, or the pooler in front of it, to cancel what runs on this connection, if it is
    /// no more than `own` statements. Whether it was asked.
    async fn cancel(&self, own: usize) -> bool {
        if self.running.load(Ordering::SeqCst) > own {
            return false;
        }
        let token = self.client.cancel_token();
        matches!(timeout(CHECK_TIMEOUT, self.database.cancel(&token)).await, Ok(Ok(())))
    }

    /// Cancels a statement whose caller is gone, unless it ends soon.
    async fn tidy(&self) {
        if timeout(GRACE, self.client.check_connection()).await.is_err()
            && self.become_from(ABANDONED, RETIRED)
        {
            self.cancel(0).await;
        }
    }
}

/// Marks its connection as abandoned unless the statement came to its end.
struct Unfinished {
    live: Arc<Live>,
    finished: bool,
}

impl Unfinished {
    fn begin(live: &Arc<Live>) -> Self {
        live.running.fetch_add(1, Ordering::SeqCst);
        Self { live: live.clone(), finished: false }
    }

    fn finish(mut self) {
        *self.live.used() = Used::now();
        self.finished = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.live.running.fetch_sub(1, Ordering::SeqCst);
        if self.finished {
            return;
        }
        // Whoever retired it has asked already, or must not ask.
        if self.live.become_from(FIT, ABANDONED)
            && let Ok(runtime) = Handle::try_current()
        {
            let live = self.live.clone();
            runtime.spawn(async move { live.tidy().await });
        }
    }
}
