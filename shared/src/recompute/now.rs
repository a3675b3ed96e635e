//! A recompute at once, without the queue: for a request that waits for its score.

use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::batch::{READING, SAVING, compute, tell_malformed};
use crate::clock::Clock;
use crate::config::SnapshotRetention;
use crate::store::{Alone, Error, ProjectId, Saved, Store, snapshot_id};

/// What became of a recompute at once.
#[derive(Clone, Debug)]
pub enum Now {
    /// The project's score, 0 to 100, is computed and stored.
    Computed(i32),
    /// There is no such project (any more).
    Missing,
    /// Another one of the project is under way.
    UnderWay,
    /// Somebody else has locked the project's row, for all the time that there was.
    Locked,
    /// The scorer failed, by an error of its own.
    Broken,
}

/// Scores a project and stores the snapshot, as the queue's handler does for a job, by the same code and with
/// the same order of results. The snapshot is named by `request`, which no other request may be called.
///
/// Two at the same time do not read one project: the second one is told so.
///
/// # Errors
/// The database cannot do it now, or not until `until`: then the error [is overdue](Error::is_overdue).
pub async fn recompute_now(
    store: &Store,
    clock: &Clock,
    retention: SnapshotRetention,
    project_id: &ProjectId,
    request: &str,
    until: Instant,
) -> Result<Now, Error> {
    let part = |share| until.saturating_duration_since(Instant::now()).mul_f32(share);
    let rows =
        match store.signals_alone(project_id.as_str(), Instant::now() + part(READING)).await? {
            Alone::Read(rows) => rows,
            Alone::Taken => return Ok(Now::UnderWay),
            Alone::Missing => return Ok(Now::Missing),
        };
    tell_malformed(project_id.as_str(), &rows);
    // Ages are told by our clock, read after the rows.
    let now_ms = clock.now_ms();
    let Some(computed) = compute(project_id.as_str(), &rows, now_ms) else {
        return Ok(Now::Broken);
    };
    let id = snapshot_id("", "recompute-sync", request, now_ms);
    let snapshot = computed.snapshot(&id, project_id.as_str());
    let saved = store.save_until(&[snapshot], Instant::now() + part(SAVING)).await?;
    match saved.into_iter().next() {
        Some(Saved::Stored { .. }) => {}
        Some(Saved::Locked) => return Ok(Now::Locked),
        Some(Saved::Failed(error)) => return Err(error),
        Some(Saved::ProjectMissing) | None => return Ok(Now::Missing),
    }
    // What retention does not get done now goes another day.
    let projects = std::slice::from_ref(project_id);
    let pruned = store.prune_snapshots(projects, retention, rows.read_at_ms);
    match timeout_at(until, pruned).await {
        Ok(Ok(0)) | Err(_) => {}
        Ok(Ok(gone)) => info!(snapshots = gone, "old snapshots deleted"),
        Ok(Err(error)) => warn!(%error, "old snapshots cannot be deleted"),
    }
    Ok(Now::Computed(computed.score.v1.overall.into()))
}
