//! Talks to Postgres: the platform's rows in, snapshots out.
//!
//! A [`Store`] is cheap to make and to clone and opens nothing until it is asked something; its
//! clones share its connections, of which it has one unless it is [told otherwise](Store::with_connections).
//! Everything it asks is one unnamed statement in one round trip: no
//! session state, nothing left behind, so a pooler in transaction mode (PgBouncer, Neon's pooled
//! host) may stand in between. Every statement may run twice without harm.
//!
//! - [`Store::signals`] and [`Store::save`] take whole batches, one statement each. What makes one fail,
//!   or slow, is found apart, and costs the others nothing.
//!   [`Store::signals_alone`] reads one project for one caller at a time.
//! - [`Store::access`] says who may do what; [`Store::history`] and [`Store::latest_snapshot`] read
//!   what was stored, [`Store::series`] what a plot shows of it, and [`Store::prune_snapshots`] deletes the old; [`Store::projects_page`] walks
//!   over all projects.
//! - [`Store::fleet`] and [`Store::movers`] look at all projects at once.
//! - [`Store::announcing_drops`] leaves an event with each score that falls; [`Store::claim_drops`] takes them to be sent.
//! - [`Database`] is `DATABASE_URL` made fit for our client: which of its options do what.
//! - [`Error`] tells whose fault a failure is.
//!
//! All times are milliseconds since the Unix epoch. The columns are `timestamp` without time zone
//! and hold UTC; no statement depends on the session's time zone. What is newer, stale or too old is
//! told by the database's clock alone.
//!
//! The database is the platform's. It is expected to be in UTF-8, with the tables that
//! `migrations/` lists; nothing here alters them.

mod access;
mod cancel;
mod connection;
mod database;
mod divide;
mod drops;
mod error;
mod fleet;
mod id;
mod live;
mod locked;
mod pool;
mod projects;
mod retention;
mod rows;
mod save;
mod series;
mod snapshot;
mod sql;
mod timestamp;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use access::Access;
pub use connection::Health;
pub use database::Database;
pub use drops::{DropEnd, DueDrops, ScoreDrop};
pub use error::{Error, ErrorKind};
pub use fleet::{Fleet, Mover};
pub use id::{MAX_ID_CHARS, NotAnId, ProjectId, is_id};
pub use projects::{ProjectPage, Stretch};
pub use rows::{Alone, ProjectRows};
pub use save::{NewSnapshot, Saved};
pub use series::{FEWEST_POINTS, MOST_POINTS, Point, Series, Span};
pub use snapshot::{CurrentScore, Cursor, History, Snapshot, snapshot_id};

use crate::config::Secret;
use connection::Connections;
use divide::Slow;
use locked::Locked;
use sql::Sql;

/// The platform's database.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    connections: Connections,
    sql: Sql,
    /// By how many points a score has to fall for an event; `None` where none are written.
    drop_points: Option<i32>,
    /// Whether the database had a table of members when it was last asked.
    has_members: AtomicBool,
    /// Whether it was told that the table is there and may not be read.
    told_of_members: AtomicBool,
    /// Projects whose rows take too long to be read beside others.
    slow_to_read: Slow,
    /// Projects whose snapshots take too long to be stored beside others.
    slow_to_save: Slow,
    /// Projects that somebody else has locked.
    locked: Locked,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(self.connections().database()).finish()
    }
}

impl Store {
    /// A store over `DATABASE_URL`. Opens nothing.
    ///
    /// # Errors
    /// When the URL cannot work; see [`Database::parse`].
    pub fn new(url: &Secret) -> Result<Self, Error> {
        Database::parse(url).map(Self::over)
    }

    /// A store over a database.
    pub fn over(database: Database) -> Self {
        Self::with_connections(database, 1)
    }

    /// A store over a database that opens up to `connections`, for a caller that asks several things at
    /// a time: each statement takes one that nothing runs on, and only where there is none another one
    /// is opened. Where the database allows no more, statements share those that are open.
    pub fn with_connections(database: Database, connections: usize) -> Self {
        Self::announcing_drops(database, connections, None)
    }

    /// As [`Store::with_connections`], with an event in our own table for each score that falls by so many
    /// points or more: it is written in the statement that stores the snapshot. `None` writes no events, and
    /// then the table need not be there.
    pub fn announcing_drops(database: Database, connections: usize, points: Option<u8>) -> Self {
        let sql = Sql::new(database.schema(), points.is_some());
        let inner = Inner {
            connections: Connections::new(database, connections),
            sql,
            drop_points: points.map(i32::from),
            has_members: AtomicBool::new(false),
            told_of_members: AtomicBool::new(false),
            slow_to_read: Slow::default(),
            slow_to_save: Slow::default(),
            locked: Locked::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Asks the database for a sign of life, and for the table of drops where events are written.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ping(&self) -> Result<(), Error> {
        self.connections().rows(&self.sql().ping, &[]).await.map(drop)
    }

    /// Opens a connection ahead of the next statement, which waits for it if it comes meanwhile. Sends
    /// nothing where one is open and was used just now.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn connect(&self) -> Result<(), Error> {
        self.connections().open().await
    }

    /// Closes the connections that are open; the next statement opens another. For who will ask
    /// nothing for some time: a database that sleeps while nobody uses it may sleep then.
    pub async fn close(&self) {
        self.connections().close().await;
    }

    /// What the last statement said of the database, without asking it.
    pub fn health(&self) -> Health {
        self.connections().health()
    }

    fn connections(&self) -> &Connections {
        &self.inner.connections
    }

    fn sql(&self) -> &Sql {
        &self.inner.sql
    }
}
