//! Looks at all projects at once: how their scores are distributed, which moved, which have none.

use std::collections::HashSet;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::connection::{Params, Statement};
use super::series::ends;
use super::timestamp::Timestamp;
use super::{Error, Span, Store};

/// How the projects' scores are distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// How many have a score of 0 to 9, of 10 to 19, and so on; the last is 90 to 100.
    pub scores: [u64; 10],
    /// How many never had one.
    pub never_scored: u64,
}

/// A project whose score moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mover {
    /// Its id.
    pub project_id: String,
    /// Its score when the span began.
    pub from: i32,
    /// Its score when the span ended.
    pub to: i32,
}

impl Mover {
    /// By how much it moved, up or down.
    pub fn size(&self) -> u32 {
        self.from.abs_diff(self.to)
    }
}

impl Store {
    /// How the projects' scores are distributed. Looks at every project.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn fleet(&self) -> Result<Fleet, Error> {
        let rows = self.look(&self.sql().fleet, &[], |row| {
            let tens: Option<i32> = row.try_get(0)?;
            Ok((tens.and_then(|tens| usize::try_from(tens).ok()), row.try_get::<_, i64>(1)?))
        });
        let mut fleet = Fleet::default();
        for (tens, projects) in rows.await? {
            let place = match tens {
                Some(tens) => fleet.scores.get_mut(tens),
                None => Some(&mut fleet.never_scored),
            };
            if let Some(place) = place {
                *place = projects.unsigned_abs();
            }
        }
        Ok(fleet)
    }

    /// The projects that moved most over `span`, at most `limit`, from behind the one that moved by so much
    /// and has this id. Looks at two snapshots of every project.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn movers(
        &self,
        span: Span,
        after: Option<(u32, &str)>,
        limit: u32,
    ) -> Result<Vec<Mover>, Error> {
        let Some((from, to)) = ends(span) else { return Ok(Vec::new()) };
        let size = after.map(|(size, _)| i32::try_from(size).unwrap_or(i32::MAX));
        let id = after.map(|(_, id)| id);
        let limit = i64::from(limit);
        let params: Params<'_> = &[
            (&from, Type::TIMESTAMP),
            (&to, Type::TIMESTAMP),
            (&size, Type::INT4),
            (&id, Type::TEXT),
            (&limit, Type::INT8),
        ];
        self.look(&self.sql().movers, params, |row| {
            Ok(Mover { project_id: row.try_get(0)?, from: row.try_get(1)?, to: row.try_get(2)? })
        })
        .await
    }

    /// The next projects by id that never had a score, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn never_scored(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, Error> {
        let (after, limit) = (after.unwrap_or_default(), i64::from(limit));
        let params: Params<'_> = &[(&after, Type::TEXT), (&limit, Type::INT8)];
        self.look(&self.sql().never_scored, params, |row| row.try_get(0)).await
    }

    /// Those of these projects that exist and were not scored since their job failed, at these times in
    /// milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn still_failing(&self, failed: &[(&str, i64)]) -> Result<HashSet<String>, Error> {
        let ids: Vec<&str> = failed.iter().map(|failed| failed.0).collect();
        let times: Vec<Option<Timestamp>> =
            failed.iter().map(|failed| Timestamp::from_ms(failed.1)).collect();
        let params: Params<'_> = &[(&ids, Type::TEXT_ARRAY), (&times, Type::TIMESTAMP_ARRAY)];
        let ids = self.look(&self.sql().failing, params, |row| row.try_get(0)).await?;
        Ok(ids.into_iter().collect())
    }

    /// Runs a statement and reads each of its rows.
    async fn look<T>(
        &self,
        statement: &Statement,
        params: Params<'_>,
        read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Vec<T>, Error> {
        let rows = self.connections().rows(statement, params).await?;
        let read = rows.iter().map(read).collect::<Result<_, _>>();
        read.map_err(|error| Error::statement(statement.name, &error))
    }
}
