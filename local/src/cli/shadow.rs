//! `deo shadow`: the scores that are stored, beside those that we compute of the same rows.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};
use shared::clock::{from_iso8601, to_iso8601};
use shared::config::ProcessEnv;
use shared::deo::Score;
use shared::store::{Database, Error, ProjectRows, Store};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::migrate::database;
use super::score::expected::{Difference, differences};
use crate::{Failure, Outcome, terminal};

/// Projects that are read at once.
const PAGE: i64 = 50;

/// How far the time that a worker took ages by may be from the one that it stored: it reads its clock twice.
const CLOCK_READS_MS: i64 = 5_000;

/// How far a signal may be off for that: 5 seconds are 6.4e-7 of the 90 days in which a page's freshness fades.
const TOLERANCE: f64 = 1e-6;

/// A row that is stamped so long before the score may have been committed after it.
const COMMITTED_WITHIN_MS: i64 = 15 * 60 * 1_000;

/// Projects that differ and are printed, where not all are asked for.
const SHOWN: usize = 20;

/// The next projects by id.
///   $1 text  the last one  $2 bigint  scored since, in ms (null: whenever)  $3 bigint  how many
const PROJECTS: &str = r#"
    SELECT p.id FROM "Project" p
    WHERE p.id > $1 AND ($2 IS NULL
        OR p."currentDeoScoreComputedAt" >= timestamp 'epoch' + $2 * interval '1 millisecond')
    ORDER BY p.id LIMIT $3"#;

/// The newest snapshot of each of these projects, and when its newest row is from. A stamp that has not come yet
/// tells nothing.
const NEWEST: &str = r#"
    SELECT w.id, floor(extract(epoch FROM s."computedAt") * 1000)::bigint, s."overallScore", s."contentScore",
        s."entityScore", s."technicalScore", s."visibilityScore", s.metadata::text,
        floor(extract(epoch FROM greatest(
            (SELECT max(c."scannedAt") FROM "CrawlResult" c WHERE c."projectId" = w.id
                AND c."scannedAt" <= n.now + interval '15 minutes'),
            (SELECT max(d."lastSyncedAt") FROM "Product" d WHERE d."projectId" = w.id
                AND d."lastSyncedAt" <= n.now + interval '15 minutes'))) * 1000)::bigint
    FROM unnest($1) AS w (id)
    CROSS JOIN (SELECT now() AT TIME ZONE 'UTC' AS now) AS n
    CROSS JOIN LATERAL (
        SELECT * FROM "DeoScoreSnapshot" o WHERE o."projectId" = w.id
        ORDER BY o."computedAt" DESC, o.id COLLATE "C" DESC LIMIT 1) AS s"#;

/// Score beside the worker that is there: store nothing, and report every difference to what it stored
///
/// Scores each project's rows as of the moment of its newest snapshot, and compares. Takes no job, needs no Redis
/// and no more than SELECT. A project whose rows are newer than its score has changed since, and is counted apart.
/// Exits with 1 when anything differs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only projects scored from this moment on, such as 2026-01-31T12:00:00Z (UTC).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,

    /// Look at so many projects at most.
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,

    /// Print one JSON object, with every difference.
    #[arg(long)]
    json: bool,
}

fn moment(text: &str) -> Result<i64, String> {
    from_iso8601(text).ok_or_else(|| "write a time such as 2026-01-31T12:00:00Z".to_owned())
}

/// What was found.
#[derive(Default)]
struct Report {
    looked: u64,
    same: u64,
    /// Rows came or changed after the score, or a score while we looked.
    changed: u64,
    unscored: u64,
    /// Projects whose rows cannot be read, with why.
    unreadable: Vec<(String, String)>,
    different: Vec<Different>,
}

/// A project whose stored score is not ours.
struct Different {
    project: String,
    computed_at_ms: i64,
    /// It has rows of the minutes before the score, which may have come after it.
    is_recent: bool,
    differences: Vec<Difference>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let database = database(&ProcessEnv)?;
    let spinner = terminal::spinner("comparing");
    let report = compare(&database, args.since, args.limit.unwrap_or(u64::MAX)).await;
    spinner.finish_and_clear();
    let report = report?;
    terminal::say(if args.json { report.json().to_string() } else { report.text() })?;
    let is_well = report.different.is_empty() && report.unreadable.is_empty();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn compare(database: &Database, since: Option<i64>, most: u64) -> Result<Report, Failure> {
    // Tables of another schema are named by the store, and for this connection found.
    let client = database.in_its_schema().connect().await?;
    let store = Store::over(database.clone());
    let mut report = Report::default();
    let mut last = String::new();
    loop {
        let left = most.saturating_sub(report.looked).min(PAGE.unsigned_abs()) as i64;
        let page = client
            .query_typed(
                PROJECTS,
                &[(&last, Type::TEXT), (&since, Type::INT8), (&left, Type::INT8)],
            )
            .await
            .map_err(|error| Error::statement("reading projects", &error))?;
        let ids: Vec<String> = page.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let Some(newest) = ids.last() else { break };
        last.clone_from(newest);
        report.looked += ids.len() as u64;
        report.look_at(&client, &store, &ids).await?;
    }
    store.close().await;
    Ok(report)
}

impl Report {
    async fn look_at(
        &mut self,
        client: &Client,
        store: &Store,
        ids: &[String],
    ) -> Result<(), Failure> {
        // The rows first: a score that comes meanwhile is seen to be later than they are.
        let rows = store.signals(ids).await?;
        let scored = client.query_typed(NEWEST, &[(&ids, Type::TEXT_ARRAY)]).await;
        let scored = scored.map_err(|error| Error::statement("reading scores", &error))?;
        self.unscored += ids.len().saturating_sub(scored.len()) as u64;
        for stored in &scored {
            let project: String = stored.try_get(0)?;
            match rows.get(&project) {
                Some(Ok(rows)) => self.judge(project, stored, rows)?,
                Some(Err(error)) => self.unreadable.push((project, error.to_string())),
                // It was deleted meanwhile.
                None => self.changed += 1,
            }
        }
        Ok(())
    }

    fn judge(&mut self, project: String, stored: &Row, rows: &ProjectRows) -> Result<(), Failure> {
        let computed_at_ms: i64 = stored.try_get(1)?;
        let newest_row: Option<i64> = stored.try_get(8)?;
        let expected = expected(stored)?;
        let at = |now_ms| differences(&expected, &Score::of(rows.tally.signals(now_ms)), TOLERANCE);
        let differences = at(computed_at_ms);
        let is_same = differences.is_empty()
            || [-CLOCK_READS_MS, CLOCK_READS_MS]
                .iter()
                .any(|ms| at(computed_at_ms + ms).is_empty());
        if is_same {
            self.same += 1;
        } else if newest_row > Some(computed_at_ms) || computed_at_ms > rows.read_at_ms {
            self.changed += 1;
        } else {
            let is_recent = newest_row > Some(computed_at_ms - COMMITTED_WITHIN_MS);
            self.different.push(Different { project, computed_at_ms, is_recent, differences });
        }
        Ok(())
    }

    /// In how many projects each number differs.
    fn places(&self) -> BTreeMap<&str, u64> {
        let mut places = BTreeMap::new();
        for difference in self.different.iter().flat_map(|it| &it.differences) {
            *places.entry(difference.place.as_str()).or_default() += 1;
        }
        places
    }

    fn json(&self) -> Value {
        let different = self.different.iter().map(|it| {
            let differences = it.differences.iter().map(
                |one| json!({ "place": one.place, "stored": one.expected, "ours": one.found }),
            );
            json!({
                "projectId": it.project,
                "computedAt": to_iso8601(it.computed_at_ms),
                "hasRecentRows": it.is_recent,
                "differences": differences.collect::<Vec<_>>(),
            })
        });
        let unreadable = self
            .unreadable
            .iter()
            .map(|(project, error)| json!({ "projectId": project, "error": error }));
        json!({
            "looked": self.looked,
            "same": self.same,
            "different": self.different.len(),
            "changedSince": self.changed,
            "unscored": self.unscored,
            "places": self.places(),
            "projects": different.collect::<Vec<_>>(),
            "unreadable": unreadable.collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for it in self.different.iter().take(SHOWN) {
            let told: Vec<String> = it
                .differences
                .iter()
                .map(|one| format!("{}: ours {}, stored {}", one.place, one.found, one.expected))
                .collect();
            let recent = if it.is_recent {
                " (rows of the 15 minutes before may have come after it)"
            } else {
                ""
            };
            let at = to_iso8601(it.computed_at_ms);
            lines.push(format!("{}, scored {at}{recent}: {}", it.project, told.join("; ")));
        }
        if let more @ 1.. = self.different.len().saturating_sub(SHOWN) {
            lines.push(format!("and {more} more: --json has all"));
        }
        let unreadable = self.unreadable.iter().take(SHOWN);
        lines.extend(unreadable.map(|(project, error)| format!("{project}: {error}")));
        lines.extend(
            self.places().iter().map(|(place, count)| format!("{place} differs in {count}")),
        );
        lines.push(format!(
            "{} projects: {} the same, {} different, {} changed since they were scored, {} never scored, \
             {} unreadable",
            self.looked,
            self.same,
            self.different.len(),
            self.changed,
            self.unscored,
            self.unreadable.len()
        ));
        lines.join("\n")
    }
}

/// What a snapshot holds of a score, as far as it holds it: a worker may store no metadata.
fn expected(stored: &Row) -> Result<Value, Failure> {
    let number = |column| stored.try_get::<_, Option<i32>>(column);
    let metadata: Option<String> = stored.try_get(7)?;
    let metadata: Value =
        metadata.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let mut v1 = json!({
        "overall": number(2)?, "content": number(3)?, "entities": number(4)?,
        "technical": number(5)?, "visibility": number(6)?,
    });
    let mut expected = json!({ "signals": metadata["signals"], "v2": metadata["v2"]["breakdown"] });
    // A column that is null was never computed.
    for value in [v1.as_object_mut(), expected.as_object_mut()].into_iter().flatten() {
        value.retain(|_, value| !value.is_null());
    }
    expected["v1"] = v1;
    Ok(expected)
}
