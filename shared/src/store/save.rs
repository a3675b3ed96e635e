//! Stores snapshots, a whole batch at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, Type};

use super::connection::{Params, Statement};
use super::divide::Batch;
use super::id::is_id;
use super::rows::A_MINUTE;
use super::timestamp::Timestamp;
use super::{Error, Store};

/// The model that `overall` and the components come from.
const VERSION: &str = "v1";

/// How long a batch waits for projects' rows that somebody else has locked. The platform's own
/// transactions are much shorter.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// However little time is left, a healthy batch fits into it over a slow network.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

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
    /// Somebody else has locked its project's row: later it can be stored.
    Locked,
    /// It cannot be stored; the others are not affected.
    Failed(Error),
}

impl Store {
    /// [`Store::save_until`] a minute from now.
    ///
    /// # Errors
    /// When nothing (more) can be stored. What was stored before that is found again by its id.
    pub async fn save(&self, snapshots: &[NewSnapshot]) -> Result<Vec<Saved>, Error> {
        self.save_until(snapshots, Instant::now() + A_MINUTE).await
    }

    /// Stores a whole batch of snapshots and moves the projects' current scores; answers what became
    /// of each, in their order.
    ///
    /// One statement and so one transaction, whatever their number. A snapshot whose id is there
    /// already updates that row if it comes from a newer read, and so does a project's current score.
    /// Of two reads in the same millisecond the one stored first stays; the other is stored as of a
    /// millisecond before. Only when a value makes the statement fail, or it takes too long, parts of
    /// the batch are stored apart until it stands alone. A snapshot for which there is no time until
    /// `until` fails with an [overdue](Error::is_overdue) error.
    ///
    /// A project's row that somebody else has locked is waited for, but not for long: then the others
    /// are stored without it.
    ///
    /// # Errors
    /// When nothing (more) can be stored, or every project fails in the same way. What was stored
    /// before that is found again by its id.
    pub async fn save_until(
        &self,
        snapshots: &[NewSnapshot],
        until: Instant,
    ) -> Result<Vec<Saved>, Error> {
        let items = newest_of_each(snapshots);
        let fates = self.save_all(&items, until).await?;
        // The fate of an older one is that of the newest with the same id.
        let fates: HashMap<&str, Saved> =
            items.iter().map(|one| one.id.as_str()).zip(fates).collect();
        let fate = |one: &NewSnapshot| fates.get(one.id.as_str()).cloned();
        // Those that cannot exist were not asked for.
        Ok(snapshots.iter().map(|one| fate(one).unwrap_or(Saved::ProjectMissing)).collect())
    }

    /// What became of snapshots whose ids differ, in their order.
    async fn save_all(&self, items: &[&NewSnapshot], until: Instant) -> Result<Vec<Saved>, Error> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let projects = || items.iter().map(|one| one.project_id.as_str());
        let known =
            self.inner.locked.knows(projects()) || self.inner.slow_to_save.knows(projects());
        let moves = Moves::default();
        if !known {
            let left = until.saturating_duration_since(Instant::now());
            let limit = (left / 2).min(LOCK_PATIENCE).max(LEAST_PATIENCE).min(left);
            match self.store(items, limit, &self.sql().save, &moves).await {
                Ok(missing) => {
                    let place = |one: &&NewSnapshot| match missing.contains(&one.project_id) {
                        true => Place::Missing,
                        false => Place::Stored,
                    };
                    return Ok(items.iter().map(|one| moves.fate(one, place(one))).collect());
                }
                Err(error) if error.may_spare_a_part() => {}
                Err(error) => return Err(error),
            }
        }
        let batch = Batch {
            items,
            name: |one| one.project_id.as_str(),
            slow: &self.inner.slow_to_save,
            until,
        };
        let moved = &moves;
        let save = |part: Vec<_>, limit| {
            async move { self.save_unlocked(&part, limit, moved).await }.boxed()
        };
        let places = batch.divide(save).await?;
        let fate = |(one, place): (&&NewSnapshot, Result<Place, Error>)| match place {
            Ok(place) => moves.fate(one, place),
            Err(error) => Saved::Failed(error),
        };
        Ok(items.iter().zip(places).map(fate).collect())
    }

    /// Stores those whose projects nobody else has locked.
    async fn save_unlocked(
        &self,
        items: &[&NewSnapshot],
        limit: Duration,
        moves: &Moves,
    ) -> Result<Vec<Place>, Error> {
        let absent = self.store(items, limit, &self.sql().save_unlocked, moves).await?;
        let mut locked = HashSet::new();
        if !absent.is_empty() {
            let ids: Vec<&str> = absent.iter().map(String::as_str).collect();
            let statement = &self.sql().existing;
            let rows = self
                .connections()
                .rows_within(limit, statement, &[(&ids, Type::TEXT_ARRAY)])
                .await?;
            let existing = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
            locked = existing.map_err(|error| Error::statement(statement.name, &error))?;
        }
        self.inner.locked.note(items.iter().map(|one| one.project_id.as_str()), &locked);
        let place = |one: &&NewSnapshot| match &one.project_id {
            project if locked.contains(project) => Place::Locked,
            project if absent.contains(project) => Place::Missing,
            _ => Place::Stored,
        };
        Ok(items.iter().map(place).collect())
    }

    /// Stores snapshots whose ids differ, notes what that moved, and answers the projects that were not
    /// found.
    async fn store(
        &self,
        snapshots: &[&NewSnapshot],
        limit: Duration,
        statement: &Statement,
        moves: &Moves,
    ) -> Result<HashSet<String>, Error> {
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

        let params: Params<'_> = &[
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
            (&self.inner.drop_points, Type::INT4),
        ];
        // Without events of drops there is no parameter for them.
        let params = &params[..params.len() - usize::from(self.inner.drop_points.is_none())];
        let rows = self.connections().rows_within(limit, statement, params).await?;
        let projects = rows.iter().map(read).collect::<Result<Vec<_>, _>>();
        let projects = projects.map_err(|error| Error::statement(statement.name, &error))?;
        let (found, absent): (Vec<_>, Vec<_>) =
            projects.into_iter().partition(|(_, before)| before.is_some());
        moves.note(found.into_iter().filter_map(|(id, before)| Some((id, before?))));
        Ok(absent.into_iter().map(|(id, _)| id).collect())
    }
}

/// Whether a snapshot was stored.
#[derive(Clone, Copy)]
enum Place {
    Stored,
    Missing,
    Locked,
}

/// A project before a batch was stored, and whether that moved its score.
#[derive(Clone, Copy)]
struct Before {
    previous: Option<i32>,
    moved: bool,
}

/// What a batch found and moved, by project, whatever parts it was stored in.
#[derive(Default)]
struct Moves(Mutex<HashMap<String, Before>>);

impl Moves {
    fn by_project(&self) -> MutexGuard<'_, HashMap<String, Before>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a part's answer. Where parts are stored apart, the first one found the score of before.
    fn note(&self, part: impl Iterator<Item = (String, Before)>) {
        let mut projects = self.by_project();
        for (id, before) in part {
            projects.entry(id).and_modify(|it| it.moved |= before.moved).or_insert(before);
        }
    }

    fn fate(&self, snapshot: &NewSnapshot, place: Place) -> Saved {
        match (place, self.by_project().get(&snapshot.project_id)) {
            (Place::Locked, _) => Saved::Locked,
            (Place::Stored, Some(&Before { previous, moved })) => Saved::Stored { previous, moved },
            (Place::Stored | Place::Missing, _) => Saved::ProjectMissing,
        }
    }
}

/// One row of `sql/save.sql`: a project, and how it was if it was found.
fn read(row: &Row) -> Result<(String, Option<Before>), tokio_postgres::Error> {
    let found: bool = row.try_get(1)?;
    let before = Before { previous: row.try_get(2)?, moved: row.try_get(3)? };
    Ok((row.try_get(0)?, found.then_some(before)))
}

/// One statement cannot store the same id twice, nor anything for a project that cannot exist.
fn newest_of_each(snapshots: &[NewSnapshot]) -> Vec<&NewSnapshot> {
    let mut newest: HashMap<&str, &NewSnapshot> = HashMap::with_capacity(snapshots.len());
    for snapshot in snapshots.iter().filter(|it| is_id(&it.project_id)) {
        let held = newest.entry(&snapshot.id).or_insert(snapshot);
        if held.computed_at_ms < snapshot.computed_at_ms {
            *held = snapshot;
        }
    }
    let mut newest: Vec<_> = newest.into_values().collect();
    newest.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    newest
}
