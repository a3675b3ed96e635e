//! Storing snapshots, a whole batch at once.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, Type};

use super::rows::can_exist;
use super::timestamp::Timestamp;
use super::{Error, Store};

/// The model that `overall` and the components come from.
const VERSION: &str = "v1";

/// A snapshot to be stored.
#[derive(Clone, Debug)]
pub struct NewSnapshot {
    /// See [`snapshot_id`](super::snapshot_id).
    pub id: String,
    /// Its project.
    pub project_id: String,
    /// When the rows that it was computed from were read, by the database's clock
    /// ([`ProjectRows::read_at_ms`](super::ProjectRows)): results are ordered by it. Milliseconds
    /// since the Unix epoch.
    pub computed_at_ms: i64,
    /// 0 to 100, as are the components.
    pub overall: i32,
    /// The component "content".
    pub content: i32,
    /// The component "entities".
    pub entities: i32,
    /// The component "technical".
    pub technical: i32,
    /// The component "visibility".
    pub visibility: i32,
    /// JSON: [`Score::metadata`](crate::deo::Score).
    pub metadata: Box<RawValue>,
}

/// What became of a snapshot.
#[derive(Clone, Debug)]
pub enum Saved {
    /// Its row is there, as it is or with a newer result of the same job.
    Stored {
        /// The project's current score before this batch; `None` when it had none. It is the score
        /// itself where the batch was stored before, and only the answer was lost.
        previous: Option<i32>,
        /// Whether the batch moved the project's current score: not where that comes from a newer read.
        moved: bool,
    },
    /// Its project is gone.
    ProjectMissing,
    /// It cannot be stored; the others are not affected.
    Failed(Error),
}

impl Store {
    /// Stores a whole batch of snapshots and moves the projects' current scores; answers what became
    /// of each, in their order.
    ///
    /// One statement and so one transaction, whatever their number. A snapshot whose id is there
    /// already updates that row if it comes from a newer read, and so does a project's current score.
    /// Of two reads in the same millisecond the one stored first stays; the other is stored as of a
    /// millisecond before. Only when a value makes the statement fail, halves of the batch are stored
    /// apart until it stands alone.
    ///
    /// # Errors
    /// When nothing (more) can be stored. What was stored before that is found again by its id.
    pub async fn save(&self, snapshots: &[NewSnapshot]) -> Result<Vec<Saved>, Error> {
        let mut parts = vec![newest_of_each(snapshots)];
        // The fate of an older one is that of the newest with the same id.
        let mut failed = HashMap::new();
        let mut projects: HashMap<String, Before> = HashMap::new();
        while let Some(mut part) = parts.pop() {
            match self.store(&part).await {
                Ok(answered) => {
                    for (id, before) in answered {
                        // Where halves are stored apart, the first one found the score of before.
                        projects
                            .entry(id)
                            .and_modify(|it| it.moved |= before.moved)
                            .or_insert(before);
                    }
                }
                Err(error) if !error.is_data() => return Err(error),
                Err(error) if part.len() == 1 => {
                    failed.extend(part.iter().map(|one| (one.id.as_str(), error.clone())));
                }
                Err(_) => {
                    let right = part.split_off(part.len() / 2);
                    parts.extend([right, part]);
                }
            }
        }
        let fate = |snapshot: &NewSnapshot| match failed.get(snapshot.id.as_str()) {
            Some(error) => Saved::Failed(error.clone()),
            None => match projects.get(&snapshot.project_id) {
                Some(&Before { found: true, previous, moved }) => Saved::Stored { previous, moved },
                _ => Saved::ProjectMissing,
            },
        };
        Ok(snapshots.iter().map(fate).collect())
    }

    /// Stores snapshots whose ids differ and answers each of their projects once.
    async fn store(&self, snapshots: &[&NewSnapshot]) -> Result<Vec<(String, Before)>, Error> {
        if snapshots.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = |number: fn(&NewSnapshot) -> i32| -> Vec<i32> {
            snapshots.iter().map(|it| number(it)).collect()
        };
        let ids: Vec<&str> = snapshots.iter().map(|it| it.id.as_str()).collect();
        let projects: Vec<&str> = snapshots.iter().map(|it| it.project_id.as_str()).collect();
        let times: Vec<Option<Timestamp>> =
            snapshots.iter().map(|it| Timestamp::from_ms(it.computed_at_ms)).collect();
        let overall = numbers(|it| it.overall);
        let content = numbers(|it| it.content);
        let entities = numbers(|it| it.entities);
        let technical = numbers(|it| it.technical);
        let visibility = numbers(|it| it.visibility);
        let versions = vec![VERSION; snapshots.len()];
        let metadata: Vec<Json<&RawValue>> =
            snapshots.iter().map(|it| Json(&*it.metadata)).collect();

        let statement = &self.sql().save;
        let rows = self
            .connection()
            .rows(
                statement,
                &[
                    (&ids, Type::TEXT_ARRAY),
                    (&projects, Type::TEXT_ARRAY),
                    (&times, Type::TIMESTAMP_ARRAY),
                    (&overall, Type::INT4_ARRAY),
                    (&content, Type::INT4_ARRAY),
                    (&entities, Type::INT4_ARRAY),
                    (&technical, Type::INT4_ARRAY),
                    (&visibility, Type::INT4_ARRAY),
                    (&versions, Type::TEXT_ARRAY),
                    (&metadata, Type::JSONB_ARRAY),
                ],
            )
            .await?;
        let projects = rows.iter().map(read).collect::<Result<_, _>>();
        projects.map_err(|error| Error::statement(statement.name, &error))
    }
}

/// A project before a batch was stored, and whether that moved its score.
struct Before {
    found: bool,
    previous: Option<i32>,
    moved: bool,
}

/// One row of `sql/save.sql`.
fn read(row: &Row) -> Result<(String, Before), tokio_postgres::Error> {
    let before =
        Before { found: row.try_get(1)?, previous: row.try_get(2)?, moved: row.try_get(3)? };
    Ok((row.try_get(0)?, before))
}

/// One statement cannot store the same id twice, nor anything for a project that cannot exist.
fn newest_of_each(snapshots: &[NewSnapshot]) -> Vec<&NewSnapshot> {
    let mut newest: HashMap<&str, &NewSnapshot> = HashMap::with_capacity(snapshots.len());
    for snapshot in snapshots.iter().filter(|it| can_exist(&it.project_id)) {
        let held = newest.entry(&snapshot.id).or_insert(snapshot);
        if held.computed_at_ms < snapshot.computed_at_ms {
            *held = snapshot;
        }
    }
    let mut newest: Vec<_> = newest.into_values().collect();
    newest.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    newest
}
