//! Gives a project of a private database a past: three months of nights, in which its pages' texts grew, and
//! were cut. Its scores are computed from rows as they were, by the code of a recompute.

use std::time::Duration;

use shared::clock::Clock;
use shared::config::{ProcessEnv, Secret, SnapshotRetention};
use shared::recompute::recompute_now;
use shared::store::{ProjectId, Store};
use tokio::time::Instant;

use crate::Failure;
use crate::cli::migrate::database_at;

/// What happened to the pages, and in how many nights before this one its score was computed: from, to.
const STAGES: [(&str, i32, i32); 3] = [
    (r#"UPDATE "CrawlResult" SET "wordCount" = "wordCount" / 2 WHERE "projectId" = $1"#, 62, 90),
    (r#"UPDATE "CrawlResult" SET "wordCount" = "wordCount" * 2 WHERE "projectId" = $1"#, 10, 61),
    (
        r#"UPDATE "CrawlResult" SET "wordCount" = "wordCount" / 8
           WHERE id IN (SELECT id FROM "CrawlResult" WHERE "projectId" = $1 ORDER BY id LIMIT 12)"#,
        1,
        9,
    ),
];

/// Puts the newest snapshot into nights: `$2` to `$3` of them before this one.
const NIGHTS: &str = r#"
    INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "contentScore", "entityScore", "technicalScore",
        "visibilityScore", version, metadata, "computedAt", "updatedAt")
    SELECT 'night-' || night || '-' || id, "projectId", "overallScore", "contentScore", "entityScore", "technicalScore",
        "visibilityScore", version, metadata,
        date_trunc('day', now() AT TIME ZONE 'UTC') + interval '2 hours' - night * interval '1 day', now()
    FROM (SELECT * FROM "DeoScoreSnapshot" WHERE "projectId" = $1 ORDER BY "computedAt" DESC LIMIT 1) AS newest,
        generate_series($2::int, $3::int) AS night"#;

/// All but the newest of the snapshots that are no night's.
const FORGET: &str = r#"
    DELETE FROM "DeoScoreSnapshot" WHERE "projectId" = $1 AND id NOT LIKE 'night-%'
        AND id <> (SELECT id FROM "DeoScoreSnapshot" WHERE "projectId" = $1 ORDER BY "computedAt" DESC LIMIT 1)"#;

/// The longest that a score may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the past of this project.
pub(super) async fn make(database_url: &str, project: &str) -> Result<(), Failure> {
    let client = database_at(&ProcessEnv, database_url)?.connect().await?;
    let store = Store::new(&Secret::new(database_url))?;
    let id = ProjectId::parse(project)?;
    for (at, (change, from, to)) in STAGES.into_iter().enumerate() {
        client.execute(change, &[&project]).await?;
        let until = Instant::now() + PATIENCE;
        let (name, all) = (format!("past-{at}"), SnapshotRetention::All);
        recompute_now(&store, &Clock::System, all, &id, &name, until).await?;
        client.execute(NIGHTS, &[&project, &from, &to]).await?;
    }
    client.execute(FORGET, &[&project]).await?;
    Ok(())
}
