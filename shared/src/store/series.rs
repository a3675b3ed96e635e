//! Reads a project's scores over a span, in as few points as a plot can show.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::timestamp::Timestamp;
use super::{Error, Store};

/// The most points that [`Store::series`] returns.
pub const MOST_POINTS: u32 = 400;

/// The fewest points that it can be held to: the first, the newest, the lowest and the highest.
pub const FEWEST_POINTS: u32 = 4;

/// The first millisecond of the year 0, and the first of the year 10000: whatever has a date that people
/// write is between.
const ANY_DATE: (i64, i64) = (-62_167_219_200_000, 253_402_300_800_000);

/// A project's scores over a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// The oldest first.
    pub points: Vec<Point>,
    /// How many snapshots there are in the span. Where they are more than the points, each part of the
    /// span has its lowest and its highest.
    pub snapshots: u64,
}

/// A score at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When its rows were read, in milliseconds since the Unix epoch.
    pub computed_at_ms: i64,
    /// 0 to 100.
    pub overall: i32,
}

/// The times from the first on and before the second, in milliseconds since the Unix epoch. `None` is no
/// limit.
pub type Span = (Option<i64>, Option<i64>);

/// The ends of `span` as Postgres takes them; `None` where nothing can be in it.
pub(super) fn ends((from, to): Span) -> Option<(Timestamp, Timestamp)> {
    let (least, most) = ANY_DATE;
    let end =
        |ms: Option<i64>, open: i64| Timestamp::from_ms(ms.unwrap_or(open).clamp(least, most));
    Some((end(from, least)?, end(to, most)?))
}

impl Store {
    /// Returns a project's scores over `span` in at most `points` points ([`FEWEST_POINTS`] to
    /// [`MOST_POINTS`]), whatever their number. Reads an index only, where `migrations/` made it.
    ///
    /// # Errors
    /// When the database cannot answer.
    pub async fn series(&self, project_id: &str, span: Span, points: u32) -> Result<Series, Error> {
        // Nothing is stored under such a name.
        let ends = ends(span).filter(|_| !project_id.contains('\0'));
        let Some((from, to)) = ends else { return Ok(Series::default()) };
        let points = points.clamp(FEWEST_POINTS, MOST_POINTS) as i32;
        let statement = &self.sql().series;
        let rows = self
            .connections()
            .rows(
                statement,
                &[
                    (&project_id, Type::TEXT),
                    (&from, Type::TIMESTAMP),
                    (&to, Type::TIMESTAMP),
                    (&points, Type::INT4),
                ],
            )
            .await?;
        let count = |row: &Row| row.try_get::<_, i64>(2).map(i64::unsigned_abs);
        let series = rows.iter().map(point).collect::<Result<_, _>>().and_then(|points| {
            let snapshots = rows.first().map_or(Ok(0), count)?;
            Ok(Series { points, snapshots })
        });
        series.map_err(|error| Error::statement(statement.name, &error))
    }
}

/// One row of `sql/series.sql`.
fn point(row: &Row) -> Result<Point, tokio_postgres::Error> {
    Ok(Point {
        // The span holds no other dates.
        computed_at_ms: row.try_get::<_, Timestamp>(0)?.ms().unwrap_or_default(),
        overall: row.try_get(1)?,
    })
}
