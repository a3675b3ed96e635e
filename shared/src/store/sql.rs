//! Holds all the SQL that the functions send, one file a statement.

use super::connection::Statement;

/// The tables that our statements name. A schema in the URL is put in front of them.
const TABLES: [&str; 6] =
    ["User", "Project", "ProjectMember", "CrawlResult", "Product", "DeoScoreSnapshot"];

const ROWS: &str = include_str!("sql/rows.sql");

/// Where it takes its projects from.
const PROJECTS: &str = "unnest($1) WITH ORDINALITY AS w (id, ordinal)";

/// In front of [`ROWS`]: a lock that ends with the statement's transaction, whatever becomes of us, and that a
/// pooler in transaction mode keeps as well.
const ALONE: &str = "WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtextextended(\
                     'deo recompute-sync ' || $1[1], 0)) AS free)\n";

/// The same, or nothing where somebody else has the lock: then Postgres looks at no table at all.
const THE_FREE: &str = "(SELECT u.id, u.ordinal FROM unnest($1) WITH ORDINALITY AS u (id, ordinal) \
                        WHERE (SELECT free FROM alone)) AS w";

const SAVE: &str = include_str!("sql/save.sql");

/// What follows the parts of [`SAVE`].
const ANSWER: &str = "SELECT i.project, f.id IS NOT NULL";

/// One part more.
const SAVE_DROPS: &str = include_str!("sql/save_drops.sql");

/// What the platform whose tables we use is called beside others' in the same database.
const PLATFORM: &str = "platform_schema()";

/// The same where no schema is in the URL: the one in which "Project" is found. Another may come first in the search
/// path of one role and not of the next, which would not see its drops.
const FOUND: &str = "(SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                     WHERE c.oid = '\"Project\"'::regclass)";

/// How it locks projects' rows.
const LOCK: &str = "FOR NO KEY UPDATE";
const LOCK_THE_FREE: &str = "FOR NO KEY UPDATE SKIP LOCKED";

/// Every statement, for one schema.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    /// The rows of a batch of projects, reduced to facts.
    pub(super) rows: Statement,
    /// The same for one project, unless somebody else reads that in this way: then it finds nothing.
    pub(super) rows_alone: Statement,
    /// Stores a batch of snapshots.
    pub(super) save: Statement,
    /// The same, which takes projects that somebody else has locked for missing, and waits for none.
    pub(super) save_unlocked: Statement,
    /// Which projects exist.
    pub(super) existing: Statement,
    /// What a user may do with projects, without members.
    pub(super) access: Statement,
    /// The same, with members.
    pub(super) access_with_members: Statement,
    /// A user's role.
    pub(super) user_role: Statement,
    /// Deletes what retention no longer keeps.
    pub(super) prune: Statement,
    /// A project's snapshots, newest first.
    pub(super) history: Statement,
    /// A project's scores over a span.
    pub(super) series: Statement,
    /// How many projects have which score.
    pub(super) fleet: Statement,
    /// The projects whose score moved most.
    pub(super) movers: Statement,
    /// The next projects that never had a score.
    pub(super) never_scored: Statement,
    /// The projects that were not scored since their job failed.
    pub(super) failing: Statement,
    /// A project's current score.
    pub(super) current_score: Statement,
    /// The next projects.
    pub(super) all_projects: Statement,
    /// The next projects, and which are stale.
    pub(super) stale_projects: Statement,
    /// Whether the database answers.
    pub(super) ping: Statement,
    /// Claims events of drops, and looks after the rest of them.
    pub(super) claim_drops: Statement,
    /// Notes that events of drops are over.
    pub(super) end_drops: Statement,
    /// Returns events of drops that were claimed and not sent.
    pub(super) return_drops: Statement,
}

impl Sql {
    /// The statements for tables in `schema`; with `drops` those that store snapshots write events of drops, too.
    pub(super) fn new(schema: Option<&str>, drops: bool) -> Self {
        let statement =
            |name, text: &str| Statement { name, text: in_schema(schema, &without_comments(text)) };
        let (save, ping) = match drops {
            false => (SAVE.to_owned(), include_str!("sql/ping.sql")),
            true => (
                SAVE.replace(ANSWER, &[SAVE_DROPS, ANSWER].concat()),
                include_str!("sql/ping_drops.sql"),
            ),
        };
        Self {
            rows: statement("reading the rows of projects", ROWS),
            rows_alone: statement(
                "reading the rows of a project alone",
                &[ALONE, &ROWS.replace(PROJECTS, THE_FREE)].concat(),
            ),
            save: statement("storing snapshots", &save),
            save_unlocked: statement("storing snapshots", &save.replace(LOCK, LOCK_THE_FREE)),
            existing: statement("looking up projects", include_str!("sql/existing.sql")),
            access: statement("checking access", include_str!("sql/access.sql")),
            access_with_members: statement(
                "checking access with members",
                include_str!("sql/access_with_members.sql"),
            ),
            user_role: statement("looking up a user", include_str!("sql/user_role.sql")),
            prune: statement("deleting old snapshots", include_str!("sql/prune.sql")),
            history: statement("reading snapshots", include_str!("sql/history.sql")),
            series: statement("reading a series of scores", include_str!("sql/series.sql")),
            fleet: statement("counting scores", include_str!("sql/fleet.sql")),
            movers: statement("looking for movers", include_str!("sql/movers.sql")),
            never_scored: statement(
                "listing projects without a score",
                include_str!("sql/never_scored.sql"),
            ),
            failing: statement("looking for failing projects", include_str!("sql/failing.sql")),
            current_score: statement("reading a score", include_str!("sql/current_score.sql")),
            all_projects: statement("listing projects", include_str!("sql/all_projects.sql")),
            stale_projects: statement(
                "listing stale projects",
                include_str!("sql/stale_projects.sql"),
            ),
            ping: statement("asking for a sign of life", ping),
            claim_drops: statement("claiming drops", include_str!("sql/claim_drops.sql")),
            end_drops: statement("ending drops", include_str!("sql/end_drops.sql")),
            return_drops: statement("returning drops", include_str!("sql/return_drops.sql")),
        }
    }
}

/// Comments are for readers of the files and need not cross the wire.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `schema` holds only characters that need no escaping between quotes.
fn in_schema(schema: Option<&str>, text: &str) -> String {
    let Some(schema) = schema else { return text.replace(PLATFORM, FOUND) };
    let text = text.replace(PLATFORM, &format!("'{schema}'"));
    TABLES.iter().fold(text, |text, table| {
        text.replace(&format!("\"{table}\""), &format!("\"{schema}\".\"{table}\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_put_before_every_table_and_nothing_else() {
        let text = r#"SELECT p."projectId", to_regclass('"ProjectMember"') FROM "Project" p"#;
        assert_eq!(
            in_schema(Some("shop"), text),
            r#"SELECT p."projectId", to_regclass('"shop"."ProjectMember"') FROM "shop"."Project" p"#
        );
        assert_eq!(in_schema(None, text), text);
    }

    #[test]
    fn projects_are_locked_in_one_place_with_and_without_waiting() {
        let sql = Sql::new(None, false);
        assert_eq!(sql.save.text.matches(LOCK).count(), 1);
        assert_eq!(sql.save_unlocked.text.matches(LOCK_THE_FREE).count(), 1);
        assert_eq!(sql.save_unlocked.text.replace(LOCK_THE_FREE, LOCK), sql.save.text);
    }

    #[test]
    fn a_project_is_read_alone_in_every_part_of_the_statement() {
        assert_eq!(ROWS.matches(PROJECTS).count(), 3);
        let alone = Sql::new(None, false).rows_alone.text;
        assert_eq!(alone.matches(THE_FREE).count(), 3);
        assert_eq!(
            alone.replace(THE_FREE, PROJECTS),
            [ALONE, &Sql::new(None, false).rows.text].concat()
        );
    }

    /// Who announces no drops needs no table of them.
    #[test]
    fn drops_are_one_part_of_storing_snapshots_and_of_nothing_else() {
        let (off, on) = (Sql::new(Some("shop"), false), Sql::new(Some("shop"), true));
        let part = in_schema(Some("shop"), &without_comments(SAVE_DROPS));
        for (without, with) in [(&off.save, &on.save), (&off.save_unlocked, &on.save_unlocked)] {
            assert!(!without.text.contains("score_drop") && !without.text.contains("$11"));
            assert_eq!(with.text.replace(&format!("{part}\n"), ""), without.text);
        }
        assert!(part.contains("'shop'") && !part.contains("\"score_drop\""));
        assert_eq!(off.ping.text, "SELECT 1");
        assert_eq!(off.rows.text, on.rows.text);
    }

    #[test]
    fn comments_stay_at_home() {
        assert_eq!(without_comments("-- a\nSELECT 1\n    -- b\n  + 2\n"), "SELECT 1\n+ 2");
    }
}
