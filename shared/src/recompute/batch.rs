//! Works one batch off: rows in, scores and snapshots out, a settlement for every job.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use tokio::time::Instant;
use tracing::{error, warn};

use super::data::{JobData, JobResult, MalformedData};
use crate::clock::Clock;
use crate::deo::Score;
use crate::engine::Context;
use crate::queue::{ClaimedJob, Settlement};
use crate::store::{
    Error, ErrorKind, NewSnapshot, ProjectId, ProjectRows, Saved, Store, snapshot_id,
};

/// The count of jobs that shared another one's project.
pub const COALESCED: &str = "coalesced";

/// The count of rows that counted without their unreadable part.
pub const MALFORMED_ROWS: &str = "malformedRows";

/// The count of milliseconds in Postgres.
pub const DATABASE_MS: &str = "databaseMs";

/// How much of the time left reading may take: the rest is for saving.
pub(super) const READING: f32 = 0.75;

/// How much of the time left saving may take: the rest is for what it gives up at last.
pub(super) const SAVING: f32 = 0.9;

/// How long a job waits whose project alone met a time limit or the like.
const AFTER_A_BAD_MOMENT: Duration = Duration::from_mins(5);

/// What became of a batch.
pub(super) struct Scored {
    /// One a job, in order.
    pub(super) settlements: Vec<Settlement>,
    /// The projects that were asked for, each once.
    pub(super) projects: Vec<ProjectId>,
    /// When the rows of the last of them were read, by the database's clock in milliseconds since
    /// the Unix epoch; `None` where none could be.
    pub(super) read_at_ms: Option<i64>,
}

/// Scores every job's project and saves the snapshots: each project is read and scored once, each
/// job gets a row of its own. A job that cannot be scored fails alone, and one for which there is no
/// time until `until`, or whose project is locked, is postponed alone.
///
/// # Errors
/// The database cannot be used now: no job is to blame, all go back.
pub(super) async fn score(
    jobs: &[ClaimedJob],
    store: &Store,
    clock: &Clock,
    context: &Context<'_>,
) -> Result<Scored, Error> {
    let project_of = |job: &ClaimedJob| JobData::parse(&job.data).map(|data| data.project_id);
    let wanted: Vec<Result<ProjectId, MalformedData>> = jobs.iter().map(project_of).collect();
    let mut projects: Vec<ProjectId> = wanted.iter().flatten().cloned().collect();
    let asked = projects.len();
    projects.sort_unstable();
    projects.dedup();
    context.count(COALESCED, (asked - projects.len()) as u64);

    let timer = context.time(DATABASE_MS);
    let reading = context.deadline().saturating_duration_since(Instant::now()).mul_f32(READING);
    let mut rows = store.signals_until(&projects, Instant::now() + reading).await?;
    drop(timer);
    // Ages are told by our clock. The order of results is that of their reads, by the database's.
    let now_ms = clock.now_ms();
    let mut read_at_ms = None;
    let mut results: HashMap<&ProjectId, Result<Computed, Settlement>> = HashMap::new();
    for id in &projects {
        let result = match rows.remove(id.as_str()) {
            None => Err(not_found(id.as_str())),
            Some(Err(failure)) => {
                error!(project = id.as_str(), error = %failure, "the project's rows cannot be read");
                Err(failed("The project's rows cannot be read", &failure))
            }
            Some(Ok(rows)) => {
                context.count(MALFORMED_ROWS, rows.malformed_rows);
                read_at_ms = read_at_ms.max(Some(rows.read_at_ms));
                tell_malformed(id.as_str(), &rows);
                compute(id.as_str(), &rows, now_ms).ok_or_else(scorer_failed)
            }
        };
        results.insert(id, result);
    }

    let names = context.queue();
    let mut snapshots = Vec::new();
    let mut settlements = Vec::with_capacity(jobs.len());
    // Which settlement each snapshot stands behind, should it not be saved.
    let mut owners = Vec::new();
    for (job, wanted) in jobs.iter().zip(wanted) {
        let settlement = match wanted.as_ref().map(|id| (id, results.get(id))) {
            Err(reason) => Settlement::Unrecoverable(reason.to_string()),
            Ok((id, Some(Ok(computed)))) => {
                let snapshot_id =
                    snapshot_id(&names.prefix, &names.name, &job.id, job.timestamp_ms);
                owners.push(settlements.len());
                snapshots.push(computed.snapshot(&snapshot_id, id.as_str()));
                completed(id.clone(), snapshot_id)
            }
            Ok((_, Some(Err(settlement)))) => settlement.clone(),
            Ok((_, None)) => Settlement::Release,
        };
        settlements.push(settlement);
    }
    let timer = context.time(DATABASE_MS);
    let saving = context.deadline().saturating_duration_since(Instant::now()).mul_f32(SAVING);
    let saved = store.save_until(&snapshots, Instant::now() + saving).await?;
    drop(timer);
    for ((owner, snapshot), saved) in owners.into_iter().zip(&snapshots).zip(saved) {
        let settlement: &mut Settlement = &mut settlements[owner];
        match saved {
            Saved::Stored { .. } => {}
            Saved::ProjectMissing => *settlement = not_found(&snapshot.project_id),
            Saved::Failed(failure) => {
                error!(error = %failure, "a snapshot was refused");
                *settlement = failed("The snapshot was refused", &failure);
            }
            Saved::Locked => {
                warn!(
                    project = snapshot.project_id.as_str(),
                    "somebody else has locked the project"
                );
                *settlement = Settlement::Postpone;
            }
        }
    }
    drop(results);
    Ok(Scored { settlements, projects, read_at_ms })
}

/// Names the rows that counted without their unreadable part.
pub(super) fn tell_malformed(project: &str, rows: &ProjectRows) {
    for row in &rows.malformed_ids {
        warn!(project, row = row.as_str(), "a malformed row");
    }
    let more = rows.more_malformed();
    if more > 0 {
        warn!(project, more, "more malformed rows, their ids left out");
    }
}

/// How a job ends whose project alone failed. For want of our own time nobody is to blame. What met a bad
/// moment, which its mates did not, is not tried again before that moment should be over.
fn failed(what: &str, failure: &Error) -> Settlement {
    let reason = format!("{what}: {failure}");
    match failure.kind() {
        _ if failure.is_overdue() => Settlement::Postpone,
        ErrorKind::Busy => Settlement::RetryAfter { reason, wait: AFTER_A_BAD_MOMENT },
        _ => Settlement::Failed(reason),
    }
}

fn not_found(project_id: &str) -> Settlement {
    Settlement::Unrecoverable(format!("Project not found: {project_id}"))
}

/// A project's score and its metadata as JSON text, shared by all its jobs in a batch.
pub(super) struct Computed {
    pub(super) score: Score,
    metadata: Box<RawValue>,
    read_at_ms: i64,
}

impl Computed {
    pub(super) fn snapshot(&self, id: &str, project_id: &str) -> NewSnapshot {
        let v1 = &self.score.v1;
        NewSnapshot {
            id: id.to_owned(),
            project_id: project_id.to_owned(),
            computed_at_ms: self.read_at_ms,
            overall: v1.overall.into(),
            content: v1.content.into(),
            entities: v1.entities.into(),
            technical: v1.technical.into(),
            visibility: v1.visibility.into(),
            metadata: self.metadata.clone(),
        }
    }
}

/// Scores one project. A panic in here is a bug of ours; it must not take the batch with it.
pub(super) fn compute(project: &str, rows: &ProjectRows, now_ms: i64) -> Option<Computed> {
    let scored = catch_unwind(AssertUnwindSafe(|| {
        let score = Score::of(rows.tally.signals(now_ms));
        let metadata = score.metadata().with_facts(rows.tally.facts(now_ms));
        let metadata = to_raw_value(&metadata).ok()?;
        Some(Computed { score, metadata, read_at_ms: rows.read_at_ms })
    }));
    let computed = scored.ok().flatten();
    if computed.is_none() {
        error!(project, "scoring failed");
    }
    computed
}

fn scorer_failed() -> Settlement {
    Settlement::Failed("Scoring failed: an error in the scorer itself".to_owned())
}

fn completed(project_id: ProjectId, snapshot_id: String) -> Settlement {
    Settlement::Complete(JobResult { project_id, snapshot_id }.to_json())
}
