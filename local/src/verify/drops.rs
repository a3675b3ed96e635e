//! Looks at I10: each score that falls has one event, under one id.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::places::Look;
use super::verdict::Findings;
use super::{Error, Evidence, Invariant, Period};

/// The events of this platform, and whether they are said to be delivered.
const EVENTS: &str = r#"
    SELECT snapshot_id, project_id, from_score, to_score, (extract(epoch FROM read_at) * 1000)::bigint,
        coalesce(outcome = 'delivered', false)
    FROM deo.score_drop
    WHERE (extract(epoch FROM created_at) * 1000)::bigint >= $1 AND platform = (
        SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = '"Project"'::regclass)
    ORDER BY read_at, snapshot_id"#;

/// An event as it is written down.
#[derive(Debug)]
pub(super) struct Event {
    snapshot: String,
    project: String,
    from: i32,
    to: i32,
    read_at_ms: i64,
    is_delivered: bool,
}

/// Reads every event of the period; none where there is no table of them, or this role may not see it.
pub(super) async fn events(client: &Client, period: Period) -> Result<Vec<Event>, Error> {
    let since = period.since_ms.unwrap_or(i64::MIN);
    let unseen = [
        SqlState::UNDEFINED_TABLE,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    let rows = match client.query(EVENTS, &[&since]).await {
        Err(error) if error.code().is_some_and(|code| unseen.contains(code)) => Vec::new(),
        rows => rows?,
    };
    rows.iter()
        .map(|row| {
            Ok(Event {
                snapshot: row.try_get(0)?,
                project: row.try_get(1)?,
                from: row.try_get(2)?,
                to: row.try_get(3)?,
                read_at_ms: row.try_get(4)?,
                is_delivered: row.try_get(5)?,
            })
        })
        .collect()
}

/// Looks at I10. `jobs` are the jobs by the snapshots that they name.
pub(super) fn check(
    events: &[Event],
    look: &Look<'_>,
    jobs: &HashMap<String, String>,
    evidence: &[Evidence],
    findings: &mut Findings,
) {
    findings.looked_at(Invariant::I10, events.len());
    let mut note = |event: &Event, what: String| {
        findings.note(Invariant::I10, jobs.get(&event.snapshot).cloned(), what);
    };
    let mut reads = HashMap::new();
    for event in events {
        let Event { snapshot, project, read_at_ms, .. } = event;
        match look.snapshots.get(snapshot) {
            Some(stored) if stored.project != *project => {
                let of = &stored.project;
                note(event, format!("the event of project {project} names a snapshot of {of}"));
            }
            None if !look.rules.snapshots_are_pruned => {
                let what =
                    format!("the event of project {project} names a snapshot that is not there");
                note(event, what);
            }
            _ => {}
        }
        // Jobs that share a read share its event.
        if let Some(other) = reads.insert((project, read_at_ms), snapshot) {
            note(
                event,
                format!("a fall of project {project} has two events, of {other} and {snapshot}"),
            );
        }
    }
    falls(events, look, evidence, findings);
    taken(events, jobs, evidence, findings);
    let why = "no event was written: DROP_EVENTS_POINTS is not set, or no score fell";
    findings.unproved_unless_looked_at(Invariant::I10, why);
}

/// Whether what the database saw fall is what the events tell.
fn falls(events: &[Event], look: &Look<'_>, evidence: &[Evidence], findings: &mut Findings) {
    // A job that runs once more keeps the event of before, and its snapshot follows its newer read.
    let read_again: HashSet<(&str, i64)> = events
        .iter()
        .filter_map(|event| look.snapshots.get(&event.snapshot))
        .map(|stored| (stored.project.as_str(), stored.read_at_ms))
        .collect();
    let told = |event: &Event| (event.project.clone(), event.read_at_ms, event.from, event.to);
    let all: HashSet<_> = events.iter().map(told).collect();
    let mut seen = HashSet::new();
    for line in evidence {
        let Evidence::Fall { project, from, to, read_at_ms } = line else { continue };
        let fall = (project.clone(), *read_at_ms, *from, *to);
        if !all.contains(&fall) && !read_again.contains(&(project.as_str(), *read_at_ms)) {
            let what =
                format!("project {project} fell from {from} to {to}, and has no event of it");
            findings.note(Invariant::I10, None, what);
        }
        seen.insert(fall);
    }
    findings.looked_at(Invariant::I10, seen.len());
    for event in events.iter().filter(|event| !seen.is_empty() && !seen.contains(&told(event))) {
        let Event { project, from, to, .. } = event;
        let what = format!(
            "an event of project {project} tells of a fall from {from} to {to} that was none"
        );
        findings.note(Invariant::I10, None, what);
    }
}

/// Whether what receivers took is what was written, under ids that follow from it.
fn taken(
    events: &[Event],
    jobs: &HashMap<String, String>,
    evidence: &[Evidence],
    findings: &mut Findings,
) {
    let known: HashMap<String, &Event> =
        events.iter().map(|event| (format!("drop_{}", event.snapshot), event)).collect();
    let mut taken = HashSet::new();
    for line in evidence {
        let Evidence::Event { id, project } = line else { continue };
        findings.looked_at(Invariant::I10, 1);
        taken.insert(id.as_str());
        if known.get(id).is_none_or(|event| event.project != *project) {
            let what =
                format!("a receiver took {id} of project {project}, which nobody wrote down");
            findings.note(Invariant::I10, None, what);
        }
    }
    let claimed =
        known.iter().filter(|(id, event)| event.is_delivered && !taken.contains(id.as_str()));
    for (id, event) in claimed.filter(|_| !taken.is_empty()) {
        let what = format!(
            "{id} of project {} counts as delivered, and no receiver took it",
            event.project
        );
        findings.note(Invariant::I10, jobs.get(&event.snapshot).cloned(), what);
    }
}
