//! What our statements need of the platform's tables: columns, their types and lengths, and rights.
//!
//! A test holds this to the statements themselves: on a table whose column has another type, is shorter or is
//! missing, they work just where this list accepts it.

/// A column that a statement of ours names.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// A pattern that its type has to match, as Postgres writes it without a length.
    pub types: &'static str,
    /// The length or precision that it has at least, where it has one: of a text in characters, of a time in
    /// digits of a second.
    pub least: i32,
    /// The rights that a role has to have on it: `SELECT`, `INSERT`, `UPDATE`.
    pub rights: &'static [&'static str],
}

const ANY: &str = ".*";
const TEXT: &str = "text|character varying|citext";
/// Numbers that are read as 32 bits.
const NUMBER: &str = "integer";
/// Numbers that are only compared, or widened by the statement.
const SMALL: &str = "integer|smallint";
const WIDE: &str = "integer|smallint|bigint";
const JSON: &str = "jsonb";
const TIME: &str = "timestamp without time zone";

/// Times are ordered by the millisecond.
const MS: i32 = 3;

const READ: &[&str] = &["SELECT"];
const MOVED: &[&str] = &["SELECT", "UPDATE"];
const ADDED: &[&str] = &["SELECT", "INSERT"];
const STORED: &[&str] = &["SELECT", "INSERT", "UPDATE"];

const fn read(table: &'static str, name: &'static str, types: &'static str) -> Column {
    Column { table, name, types, least: 0, rights: READ }
}

const fn score(name: &'static str) -> Column {
    Column { rights: STORED, ..read(SNAPSHOTS, name, NUMBER) }
}

const SNAPSHOTS: &str = "DeoScoreSnapshot";

/// The columns that our statements name. Extra ones do not matter, but for those that must be given a value.
pub const COLUMNS: [Column; 35] = [
    read("User", "id", TEXT),
    read("User", "role", ANY),
    read("Project", "id", TEXT),
    read("Project", "userId", TEXT),
    Column { rights: MOVED, ..read("Project", "currentDeoScore", NUMBER) },
    Column { rights: MOVED, least: MS, ..read("Project", "currentDeoScoreComputedAt", TIME) },
    read("CrawlResult", "id", TEXT),
    read("CrawlResult", "projectId", TEXT),
    read("CrawlResult", "url", TEXT),
    read("CrawlResult", "statusCode", SMALL),
    read("CrawlResult", "title", TEXT),
    read("CrawlResult", "metaDescription", TEXT),
    read("CrawlResult", "h1", TEXT),
    read("CrawlResult", "wordCount", WIDE),
    read("CrawlResult", "issues", JSON),
    read("CrawlResult", "scannedAt", TIME),
    read("Product", "id", TEXT),
    read("Product", "projectId", TEXT),
    read("Product", "title", TEXT),
    read("Product", "description", TEXT),
    read("Product", "seoTitle", TEXT),
    read("Product", "seoDescription", TEXT),
    read("Product", "lastSyncedAt", TIME),
    // What snapshot_id makes.
    Column { least: 36, rights: ADDED, ..read(SNAPSHOTS, "id", TEXT) },
    Column { rights: STORED, ..read(SNAPSHOTS, "projectId", TEXT) },
    score("overallScore"),
    score("contentScore"),
    score("entityScore"),
    score("technicalScore"),
    score("visibilityScore"),
    // "v1".
    Column { least: 2, rights: STORED, ..read(SNAPSHOTS, "version", TEXT) },
    Column { rights: STORED, ..read(SNAPSHOTS, "metadata", JSON) },
    Column { least: MS, rights: STORED, ..read(SNAPSHOTS, "computedAt", TIME) },
    Column { rights: &["INSERT"], ..read(SNAPSHOTS, "createdAt", TIME) },
    Column { rights: STORED, ..read(SNAPSHOTS, "updatedAt", TIME) },
];

/// The same of a table that not every platform has.
pub const MEMBERS: [Column; 2] =
    [read("ProjectMember", "projectId", TEXT), read("ProjectMember", "userId", TEXT)];
