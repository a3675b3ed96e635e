//! Reads the outbox of drops: the events that storing snapshots leaves, until they are sent.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::{Error, Store};

/// A score that fell, to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreDrop {
    /// The snapshot with the lower score. It names the event, of which a job has one at most.
    pub snapshot_id: String,
    /// Whose score it is.
    pub project_id: String,
    /// The score of the newest read before.
    pub from: i32,
    /// The score now.
    pub to: i32,
    /// When the rows were read that it comes from, by the database's clock, as ISO 8601.
    pub read_at: String,
}

/// What is to be done about drops.
#[derive(Clone, Debug, Default)]
pub struct DueDrops {
    /// To be sent now. Whoever sends them has half a minute, after which somebody else may.
    pub claimed: Vec<ScoreDrop>,
    /// How many nobody took within a day, and are sent no more.
    pub given_up: u64,
}

/// How the sending of an event ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropEnd {
    /// It was taken.
    Delivered,
    /// Nobody wants it.
    GivenUp,
}

impl Store {
    /// Claims at most `most` events that are due. One that is not [ended](Store::end_drops) is due again later:
    /// after half a minute at first, then twice as long each time up to an hour, for a day, and once more after that.
    ///
    /// # Errors
    /// When the database cannot do it within `limit`, or has no table of drops.
    pub async fn claim_drops(&self, most: u32, limit: Duration) -> Result<DueDrops, Error> {
        let statement = &self.sql().claim_drops;
        let params = [(&i64::from(most) as _, Type::INT8)];
        let rows = self.connections().rows_within(limit, statement, &params).await?;
        let mut due = DueDrops::default();
        for row in &rows {
            let (drop, given_up) =
                read(row).map_err(|error| Error::statement(statement.name, &error))?;
            due.claimed.extend(drop);
            due.given_up = given_up;
        }
        Ok(due)
    }

    /// Notes how the sending of events ended, by their snapshots.
    ///
    /// # Errors
    /// When the database cannot do it within `limit`. Then they are due again.
    pub async fn end_drops(&self, ends: &[(&str, DropEnd)], limit: Duration) -> Result<(), Error> {
        let snapshots: Vec<&str> = ends.iter().map(|end| end.0).collect();
        let delivered: Vec<bool> = ends.iter().map(|end| end.1 == DropEnd::Delivered).collect();
        let params = [(&snapshots as _, Type::TEXT_ARRAY), (&delivered as _, Type::BOOL_ARRAY)];
        self.connections().rows_within(limit, &self.sql().end_drops, &params).await.map(drop)
    }

    /// Returns claimed events that nobody has begun to send, by their snapshots: they are due at once.
    ///
    /// # Errors
    /// When the database cannot do it within `limit`. Then they are due again in half a minute or later.
    pub async fn return_drops(&self, snapshots: &[&str], limit: Duration) -> Result<(), Error> {
        let params = [(&snapshots as _, Type::TEXT_ARRAY)];
        self.connections().rows_within(limit, &self.sql().return_drops, &params).await.map(drop)
    }
}

/// One row of `sql/claim_drops.sql`: what was claimed, if anything was, and how many were given up.
fn read(row: &Row) -> Result<(Option<ScoreDrop>, u64), tokio_postgres::Error> {
    let given_up: i64 = row.try_get(5)?;
    let given_up = u64::try_from(given_up).unwrap_or_default();
    let Some(snapshot_id) = row.try_get(0)? else { return Ok((None, given_up)) };
    let drop = ScoreDrop {
        snapshot_id,
        project_id: row.try_get(1)?,
        from: row.try_get(2)?,
        to: row.try_get(3)?,
        read_at: row.try_get(4)?,
    };
    Ok((Some(drop), given_up))
}
