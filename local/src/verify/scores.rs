//! Reads what stands in Postgres, snapshots and what projects show of them, and looks at I7.

use std::collections::{HashMap, HashSet};

use shared::config::Scope;
use shared::store::{Store, Stretch};
use tokio_postgres::Client;

use super::Error;
use super::verdict::Findings;
use super::{Invariant, Period};

/// Projects a page of the walk over stale ones.
const PAGE: u32 = 1_000;

/// Every snapshot: id, project, and when its rows were read, and whether it was stored in the period.
const SNAPSHOTS: &str = r#"
    SELECT id, "projectId", (extract(epoch FROM "createdAt") * 1000)::bigint >= $1,
        (extract(epoch FROM "computedAt") * 1000)::bigint
    FROM "DeoScoreSnapshot""#;

/// Projects whose score is not that of their newest snapshot, if that was stored in the period. Of several that were read in the same
/// millisecond any may be shown.
const BEHIND: &str = r#"
    SELECT p.id, s.id FROM "Project" p JOIN (
        SELECT DISTINCT ON ("projectId") id, "projectId", "computedAt", "createdAt" FROM "DeoScoreSnapshot"
        ORDER BY "projectId", "computedAt" DESC, id
    ) s ON s."projectId" = p.id
    WHERE (extract(epoch FROM s."createdAt") * 1000)::bigint >= $1
    AND (p."currentDeoScoreComputedAt" IS DISTINCT FROM s."computedAt" OR NOT EXISTS (
        SELECT 1 FROM "DeoScoreSnapshot" d WHERE d."projectId" = p.id
        AND d."computedAt" = s."computedAt" AND d."overallScore" = p."currentDeoScore"))"#;

/// Projects with rows that their newest snapshot cannot know: stamped after its read, and not in the future.
const NEWER: &str = r#"
    SELECT p.id, s.id FROM "Project" p JOIN (
        SELECT DISTINCT ON ("projectId") id, "projectId", "computedAt", "createdAt" FROM "DeoScoreSnapshot"
        ORDER BY "projectId", "computedAt" DESC, id
    ) s ON s."projectId" = p.id
    WHERE (extract(epoch FROM s."createdAt") * 1000)::bigint >= $1
    AND (EXISTS (SELECT 1 FROM "CrawlResult" c WHERE c."projectId" = p.id
        AND c."scannedAt" > s."computedAt" AND c."scannedAt" <= now() AT TIME ZONE 'UTC')
    OR EXISTS (SELECT 1 FROM "Product" d WHERE d."projectId" = p.id
        AND d."lastSyncedAt" > s."computedAt" AND d."lastSyncedAt" <= now() AT TIME ZONE 'UTC'))"#;

/// A snapshot.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) project: String,
    /// Whether it was stored in the period that is looked at.
    pub(super) is_in_period: bool,
    /// When its rows were read: milliseconds since the Unix epoch.
    pub(super) read_at_ms: i64,
}

/// Reads every snapshot, by its id.
pub(super) async fn snapshots(
    client: &Client,
    period: Period,
) -> Result<HashMap<String, Stored>, Error> {
    let since = period.since_ms.unwrap_or(i64::MIN);
    let rows = client.query(SNAPSHOTS, &[&since]).await?;
    rows.iter()
        .map(|row| {
            let stored = Stored {
                project: row.try_get(1)?,
                is_in_period: row.try_get(2)?,
                read_at_ms: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, stored))
        })
        .collect()
}

/// Looks at I7. `jobs` are the jobs by the snapshots that they name.
pub(super) async fn check(
    client: &Client,
    store: &Store,
    period: Period,
    jobs: &HashMap<String, String>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let since = period.since_ms.unwrap_or(i64::MIN);
    let pairs = async |statement: &str| -> Result<Vec<(String, String)>, Error> {
        let rows = client.query(statement, &[&since]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    };
    let count: i64 =
        client.query_one(r#"SELECT count(*) FROM "Project""#, &[]).await?.try_get(0)?;
    findings.looked_at(Invariant::I7, usize::try_from(count).unwrap_or_default());
    for (project, snapshot) in pairs(BEHIND).await? {
        let what = format!("project {project} does not show its newest snapshot, {snapshot}");
        findings.note(Invariant::I7, jobs.get(&snapshot).cloned(), what);
    }
    let newer = pairs(NEWER).await?;
    let stale = if newer.is_empty() { HashSet::new() } else { stale(store).await? };
    for (project, snapshot) in newer {
        if !stale.contains(&project) {
            let what = format!(
                "project {project} has rows newer than its newest snapshot, {snapshot}, and is not \
                 found as stale"
            );
            findings.note(Invariant::I7, jobs.get(&snapshot).cloned(), what);
        }
    }
    Ok(())
}

/// The stale projects, as the nightly recompute finds them; none is stale for its age alone.
async fn stale(store: &Store) -> Result<HashSet<String>, Error> {
    let (mut all, mut place) = (HashSet::new(), None::<String>);
    loop {
        let stretch = Stretch { after: place.as_deref(), until: None, look_at: PAGE, take: PAGE };
        let page = store.projects_page(Scope::Stale, stretch, u32::MAX).await?;
        all.extend(page.ids);
        place = page.next;
        if place.is_none() {
            return Ok(all);
        }
    }
}
