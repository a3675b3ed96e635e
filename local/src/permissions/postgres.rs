//! A role of Postgres for each function, as grants of columns.

use std::fmt;

use super::Function;

/// Where a grant is needed that not every database or stage needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Where the table has the column.
    Column,
    /// Where there is such a table.
    Table,
    /// Where snapshots are deleted after a time.
    Pruning,
    /// Where drops are told.
    Drops,
}

impl fmt::Display for Only {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Column => "where the table has this column",
            Self::Table => "where there is such a table",
            Self::Pruning => "unless SNAPSHOT_RETENTION is all",
            Self::Drops => "where DROP_EVENTS_POINTS is set",
        })
    }
}

/// A privilege on some columns of a table, or on the whole of it.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
    pub privilege: &'static str,
    /// The table of the platform's, `deo.` and one of ours, or `SCHEMA` and a schema.
    pub table: &'static str,
    /// Its columns; none for the whole table.
    pub columns: &'static [&'static str],
    /// Where it is needed, if not everywhere.
    pub only: Option<Only>,
}

const fn grant(
    privilege: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
) -> Grant {
    Grant { privilege, table, columns, only: None }
}

const LINKS: Grant =
    Grant { only: Some(Only::Column), ..grant("SELECT", "CrawlResult", &["internalLinkCount"]) };
const MEMBERS: Grant =
    Grant { only: Some(Only::Table), ..grant("SELECT", "ProjectMember", &["projectId", "userId"]) };

const PAGES: Grant = grant(
    "SELECT",
    "CrawlResult",
    &[
        "id",
        "projectId",
        "url",
        "statusCode",
        "title",
        "metaDescription",
        "h1",
        "wordCount",
        "issues",
        "scannedAt",
    ],
);
const PRODUCTS: Grant = grant(
    "SELECT",
    "Product",
    &["id", "projectId", "title", "description", "seoTitle", "seoDescription", "lastSyncedAt"],
);
/// The columns of a snapshot that one with its id, which may be written again, is given.
const SNAPSHOT: &[&str] = &[
    "projectId",
    "overallScore",
    "contentScore",
    "entityScore",
    "technicalScore",
    "visibilityScore",
    "version",
    "metadata",
    "computedAt",
    "updatedAt",
];
const SCORES: [Grant; 7] = [
    grant("UPDATE", "Project", &["currentDeoScore", "currentDeoScoreComputedAt"]),
    // What an update takes from the row that could not be inserted counts as read.
    grant("SELECT", "DeoScoreSnapshot", SNAPSHOT),
    grant("SELECT", "DeoScoreSnapshot", &["id"]),
    grant("INSERT", "DeoScoreSnapshot", SNAPSHOT),
    grant("INSERT", "DeoScoreSnapshot", &["id", "createdAt"]),
    grant("UPDATE", "DeoScoreSnapshot", SNAPSHOT),
    Grant { only: Some(Only::Pruning), ..grant("DELETE", "DeoScoreSnapshot", &[]) },
];

/// The columns of the outbox that an event is written with, and read.
const EVENT: &[&str] = &[
    "platform",
    "snapshot_id",
    "project_id",
    "from_score",
    "to_score",
    "read_at",
    "created_at",
    "due_at",
];

const OUTBOX: &str = "deo.score_drop";

const fn of_drops(
    privilege: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
) -> Grant {
    Grant { only: Some(Only::Drops), ..grant(privilege, table, columns) }
}

const DROPS: [Grant; 2] = [of_drops("USAGE", "SCHEMA deo", &[]), of_drops("INSERT", OUTBOX, EVENT)];
const SENT: [Grant; 4] = [
    of_drops("SELECT", OUTBOX, EVENT),
    of_drops("SELECT", OUTBOX, &["attempts", "ended_at"]),
    of_drops("UPDATE", OUTBOX, &["due_at", "attempts", "ended_at", "outcome"]),
    of_drops("DELETE", OUTBOX, &[]),
];

/// What a function's role needs.
pub fn grants(function: Function) -> Vec<Grant> {
    let project = |columns| grant("SELECT", "Project", columns);
    match function {
        Function::Api => [
            vec![
                grant("SELECT", "User", &["id", "role"]),
                MEMBERS,
                project(&["id", "userId", "currentDeoScore", "currentDeoScoreComputedAt"]),
                PAGES,
                LINKS,
                PRODUCTS,
            ],
            SCORES.to_vec(),
            DROPS.to_vec(),
        ]
        .concat(),
        Function::Drain | Function::Worker => [
            vec![
                project(&["id", "currentDeoScore", "currentDeoScoreComputedAt"]),
                PAGES,
                LINKS,
                PRODUCTS,
            ],
            SCORES.to_vec(),
            DROPS.to_vec(),
            SENT.to_vec(),
        ]
        .concat(),
        Function::Cron => [
            vec![
                project(&["id", "currentDeoScoreComputedAt"]),
                grant("SELECT", "CrawlResult", &["projectId", "scannedAt"]),
                grant("SELECT", "Product", &["projectId", "lastSyncedAt"]),
            ],
            DROPS[..1].to_vec(),
            SENT.to_vec(),
        ]
        .concat(),
    }
}

impl Grant {
    /// The statement that gives it to `role`, without a semicolon.
    pub fn to(&self, role: &str) -> String {
        format!("GRANT {} TO {role}", self.what())
    }

    /// The statement that takes it away from `role`.
    pub fn from(&self, role: &str) -> String {
        format!("REVOKE {} FROM {role}", self.what())
    }

    fn what(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|column| format!("\"{column}\"")).collect();
        let columns =
            if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let is_ours = self.table.contains(['.', ' ']);
        let quote = if is_ours { "" } else { "\"" };
        format!("{}{columns} ON {quote}{}{quote}", self.privilege, self.table)
    }

    /// Each column's part of it.
    pub fn parts(self) -> Vec<Self> {
        if self.columns.is_empty() {
            return vec![self];
        }
        self.columns.chunks(1).map(|columns| Self { columns, ..self }).collect()
    }
}

/// The statements that make a role for `function`.
pub fn statements(function: Function) -> String {
    let role = format!("deo_{function}");
    let mut text = format!("CREATE ROLE {role} LOGIN PASSWORD 'PASSWORD';\n");
    for grant in grants(function) {
        text.push_str(&grant.to(&role));
        let only = grant.only.map(|only| format!(" -- {only}")).unwrap_or_default();
        text.push_str(&format!(";{only}\n"));
    }
    text
}
