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
    /// Those that nobody took within a day, and that are sent no more.
    pub given_up: Vec<ScoreDrop>,
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
    /// after half a minute at first, then twice as long each time up to an hour, for a day in all.
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
            if given_up { &mut due.given_up } else { &mut due.claimed }.push(drop);
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
}

/// One row of `sql/claim_drops.sql`, and whether it was given up.
fn read(row: &Row) -> Result<(ScoreDrop, bool), tokio_postgres::Error> {
    let drop = ScoreDrop {
        snapshot_id: row.try_get(0)?,
        project_id: row.try_get(1)?,
        from: row.try_get(2)?,
        to: row.try_get(3)?,
        read_at: row.try_get(4)?,
    };
    Ok((drop, row.try_get(5)?))
}
