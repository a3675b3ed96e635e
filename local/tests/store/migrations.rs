//! Migrations, on an empty database and on one that the platform's ORM owns.

use std::process::{Command, Output};
use std::time::Duration;

use servers::PostgresServer;
use shared::config::Secret;
use shared::store::Database;
use tables::migrations::{Error, gone, migrate, pending, unfit};
use tokio::time::timeout;

use super::{Sql, server, store, strings};

const ALL: [&str; 7] = [
    "V1__platform_tables",
    "V2__deo_score_snapshot",
    "V3__snapshots_by_project",
    "V4__pages_by_project",
    "V5__products_by_project",
    "V6__scores_by_project",
    "V7__score_drops",
];

/// The platform's tables with more columns than we know of, as its ORM makes them, and rows.
const ORM: &str = include_str!("orm.sql");

async fn empty() -> (String, Database, Sql) {
    let url = server().await.create_database().await.unwrap();
    let database = Database::parse(&Secret::new(&*url)).unwrap();
    let sql = Sql::connect(&url).await;
    (url, database, sql)
}

/// Every table, column, constraint and index but our own, and how many rows there are.
async fn everything_foreign(sql: &Sql) -> Vec<String> {
    let rows = sql
        .rows(
            "SELECT format('%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
                AND c.relname NOT IN ('deo_CrawlResult_projectId_idx', 'deo_Product_projectId_idx')
                AND c.relname NOT LIKE '%DeoScoreSnapshot_projectId_computedAt_%idx'
            UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT format('rows %s', md5(string_agg(r, '|' ORDER BY r))) FROM (
                SELECT u::text r FROM \"User\" u UNION ALL SELECT p::text FROM \"Project\" p
                UNION ALL SELECT c::text FROM \"CrawlResult\" c UNION ALL SELECT p::text FROM \"Product\" p) x
            ORDER BY 1",
        )
        .await;
    rows.iter().map(|row| row.get(0)).collect()
}

async fn indexes(sql: &Sql) -> Vec<String> {
    let rows = sql
        .rows(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND NOT indisunique
                AND indexrelid::regclass::text !~ '^pg_' ORDER BY 1",
        )
        .await;
    rows.iter().map(|row| row.get(0)).collect()
}

const OURS: [&str; 6] = [
    r#""DeoScoreSnapshot_projectId_computedAt_idx""#,
    r#""deo_CrawlResult_projectId_idx""#,
    r#""deo_DeoScoreSnapshot_projectId_computedAt_overallScore_idx""#,
    r#""deo_Product_projectId_idx""#,
    "deo.score_drop_due",
    "deo.score_drop_ended",
];

#[tokio::test]
async fn an_empty_database_gets_everything_once() {
    let (url, database, sql) = empty().await;
    assert_eq!(pending(&database).await.unwrap(), ALL);
    let ours = "SELECT count(*) FROM pg_namespace WHERE nspname = 'deo'";
    assert_eq!(sql.number(ours).await, 0, "a check writes");
    let report = migrate(&database, false).await.unwrap();
    assert_eq!((report.applied, report.adopted.len()), (ALL.map(str::to_owned).to_vec(), 0));
    let report = migrate(&database, false).await.unwrap();
    assert_eq!((report.applied.len(), report.adopted.len()), (0, 0));
    let report = migrate(&database, true).await.unwrap();
    assert_eq!((report.applied.len(), report.adopted.len()), (0, 0), "whoever it belongs to");
    assert_eq!(pending(&database).await.unwrap().len(), 0);
    assert_eq!(indexes(&sql).await, OURS);
    assert_eq!(store(&url).signals(&strings(&["gone"])).await.unwrap().len(), 0);
}

/// Whoever migrates again at once is not told that somebody else does.
#[tokio::test]
async fn nobody_is_kept_out_by_a_migration_that_has_ended() {
    let (_, database, sql) = empty().await;
    for baseline in [false, true, false, true, false] {
        // The first succeeds, and so do all after it: whose the database is no longer matters.
        migrate(&database, baseline).await.unwrap();
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                    (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(sql.number(held).await, 0);
    }
}

#[tokio::test]
async fn the_orms_database_is_taken_as_it_is() {
    let (url, database, sql) = empty().await;
    sql.run(ORM).await;
    let before = everything_foreign(&sql).await;

    let error = migrate(&database, false).await.unwrap_err();
    assert!(matches!(error, Error::Owned), "{error}");
    assert!(error.to_string().contains("--baseline"));
    assert_eq!(pending(&database).await.unwrap().len(), 7, "nothing was touched");

    let report = migrate(&database, true).await.unwrap();
    assert_eq!(report.adopted, ALL[..2]);
    assert_eq!(report.applied, ALL[2..]);
    assert_eq!(everything_foreign(&sql).await, before);
    assert_eq!(indexes(&sql).await, OURS);
    assert_eq!(pending(&database).await.unwrap().len(), 0);
    assert_eq!(migrate(&database, false).await.unwrap().applied.len(), 0);

    let projects = store(&url).signals(&strings(&["cln1"])).await.unwrap();
    let signals = serde_json::json!(projects["cln1"].as_ref().unwrap().tally.signals(0));
    assert_eq!(signals["crawlHealth"], 1.0, "its rows are read");
}

#[tokio::test]
async fn indexes_that_do_as_well_are_not_made_again() {
    let (_, database, sql) = empty().await;
    sql.run(ORM).await;
    sql.run(
        r#"CREATE INDEX theirs ON "CrawlResult" ("projectId", "scannedAt");
        CREATE INDEX partial ON "Product" ("projectId") WHERE title <> '';
        CREATE INDEX second ON "Product" (title, "projectId");
        CREATE INDEX newest ON "DeoScoreSnapshot" ("projectId", "computedAt" DESC)"#,
    )
    .await;
    let report = migrate(&database, true).await.unwrap();
    assert_eq!(report.adopted, ALL[..4]);
    assert_eq!(report.applied, ALL[4..], "neither of the two on products would do");
}

#[tokio::test]
async fn a_table_that_the_orm_does_not_have_yet_is_added() {
    let (_, database, sql) = empty().await;
    sql.run(ORM).await;
    sql.run(r#"DROP TABLE "DeoScoreSnapshot""#).await;
    let report = migrate(&database, true).await.unwrap();
    assert_eq!((report.adopted, report.applied), (strings(&ALL[..1]), strings(&ALL[1..])));
}

#[tokio::test]
async fn a_part_of_the_platforms_tables_is_told_with_what_is_there_and_what_is_not() {
    let (_, database, sql) = empty().await;
    sql.run(r#"CREATE TABLE "Project" (id text PRIMARY KEY)"#).await;
    for baseline in [false, true] {
        let told = migrate(&database, baseline).await.unwrap_err().to_string();
        assert!(
            told.contains("Project is there, and User, CrawlResult, Product are not"),
            "{told}"
        );
        assert!(!told.contains("--baseline"), "{told}");
    }
    assert_eq!(pending(&database).await.unwrap().len(), 7, "nothing was touched");
}

#[tokio::test]
async fn tables_that_do_not_fit_are_named_and_left_alone() {
    let (_, database, sql) = empty().await;
    let error = migrate(&database, true).await.unwrap_err();
    assert!(matches!(&error, Error::NothingToTakeOver(missing) if missing.len() == 4), "{error}");
    sql.run(ORM).await;
    sql.run(
        r#"ALTER TABLE "Project" DROP COLUMN "currentDeoScore";
        ALTER TABLE "Product" ALTER "lastSyncedAt" TYPE timestamptz"#,
    )
    .await;
    let before = everything_foreign(&sql).await;
    let error = migrate(&database, true).await.unwrap_err().to_string();
    assert!(error.contains(r#""Project"."currentDeoScore" is missing"#), "{error}");
    assert!(
        error.contains(
            r#""Product"."lastSyncedAt" is timestamp with time zone, not timestamp without"#
        ),
        "{error}"
    );
    assert_eq!(everything_foreign(&sql).await, before);
    assert_eq!(pending(&database).await.unwrap().len(), 7);
}

/// A restored dump of the platform's schema and our history, say, has no table of ours.
#[tokio::test]
async fn a_table_that_is_gone_though_it_was_made_is_told_and_ours_is_made_again() {
    let (_, database, sql) = empty().await;
    migrate(&database, false).await.unwrap();
    sql.run("DROP TABLE deo.score_drop").await;
    assert_eq!(pending(&database).await.unwrap(), [""; 0]);
    let told = ["deo.score_drop is gone, which V7__score_drops made: `deo migrate` makes it again"
        .to_owned()];
    assert_eq!(
        (unfit(&database).await.unwrap(), gone(&database).await.unwrap()),
        (told.to_vec(), told.to_vec())
    );
    let report = migrate(&database, false).await.unwrap();
    assert_eq!((report.adopted, report.applied), (vec![], strings(&ALL[6..])));
    assert_eq!(unfit(&database).await.unwrap(), [""; 0]);
    // The platform's is its ORM's to make.
    sql.run(r#"DROP TABLE "DeoScoreSnapshot""#).await;
    assert_eq!(gone(&database).await.unwrap(), [r#""DeoScoreSnapshot" is missing"#]);
    let error = migrate(&database, false).await.unwrap_err().to_string();
    assert!(error.contains(r#""DeoScoreSnapshot" is missing"#), "{error}");
}

#[tokio::test]
async fn an_index_that_was_cut_off_is_made_anew() {
    let (_, database, sql) = empty().await;
    sql.run(ORM).await;
    // What a cut-off CREATE INDEX CONCURRENTLY leaves behind.
    sql.run(r#"CREATE INDEX "deo_Product_projectId_idx" ON "Product" ("projectId")"#).await;
    sql.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"deo_Product_projectId_idx\"'::regclass")
        .await;
    assert_eq!(migrate(&database, true).await.unwrap().applied, ALL[2..]);
    assert_eq!(indexes(&sql).await, OURS);
}

#[tokio::test]
async fn two_runs_at_once_do_not_meet() {
    let (url, database, sql) = empty().await;
    sql.run(ORM).await;
    // The first one waits inside an index for a transaction with an older snapshot.
    sql.run(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot" IN ROW EXCLUSIVE MODE"#).await;
    let first = database.clone();
    let first = tokio::spawn(async move { migrate(&first, true).await });
    Sql::connect(&url).await.somebody_waits_for_a_lock().await;
    let second = timeout(Duration::from_secs(30), migrate(&database, true)).await.unwrap();
    assert!(matches!(second, Err(Error::Busy)), "{second:?}");
    sql.run("COMMIT").await;
    assert_eq!(first.await.unwrap().unwrap().applied, ALL[2..]);
}

fn deo(url: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_deo")).args(args).env("DATABASE_URL", url).output().unwrap()
}

#[tokio::test]
async fn the_command_says_what_it_did_and_exits_accordingly() {
    let (url, _, sql) = empty().await;
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let check = deo(&url, &["migrate", "--check"]);
    assert_eq!((check.status.code(), said(&check).lines().count()), (Some(1), 7));
    sql.run(ORM).await;
    let refused = deo(&url, &["migrate"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--baseline"));
    let done = deo(&url, &["migrate", "--baseline", "--json"]);
    assert_eq!(done.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report, serde_json::json!({"applied": ALL[2..], "adopted": ALL[..2]}));
    let check = deo(&url, &["migrate", "--check"]);
    assert_eq!(
        (check.status.code(), &*said(&check)),
        (Some(0), "nothing is pending, and the tables fit\n")
    );
}

/// How many migrations a table records; `None` where it is not there.
async fn recorded(sql: &Sql, table: &str) -> Option<i64> {
    let there = format!("SELECT count(*) FROM pg_class WHERE oid = to_regclass('{table}')");
    if sql.number(&there).await == 0 {
        return None;
    }
    Some(sql.number(&format!("SELECT count(*) FROM {table}")).await)
}

const OURS_NOW: &str = "deo.schema_history";
const OURS_BEFORE: &str = "public.deo_schema_history";

/// As the versions of before left the history.
const TO_BEFORE: &str = "CREATE TABLE deo_schema_history (LIKE deo.schema_history INCLUDING ALL);
    INSERT INTO deo_schema_history SELECT * FROM deo.schema_history; DROP SCHEMA deo CASCADE";

#[tokio::test]
async fn the_history_is_in_a_schema_of_its_own() {
    let (_, database, sql) = empty().await;
    sql.run(ORM).await;
    migrate(&database, true).await.unwrap();
    assert_eq!(recorded(&sql, OURS_NOW).await, Some(7));
    assert_eq!(recorded(&sql, OURS_BEFORE).await, None);
}

#[tokio::test]
async fn a_history_of_before_is_taken_into_it() {
    let (_, database, sql) = empty().await;
    migrate(&database, false).await.unwrap();
    let kept = "SELECT string_agg(h::text, ',' ORDER BY version) FROM deo.schema_history h WHERE version < 5";
    let before: String = sql.rows(kept).await[0].get(0);
    sql.run(TO_BEFORE).await;
    sql.run(r#"DROP INDEX "deo_Product_projectId_idx", "deo_DeoScoreSnapshot_projectId_computedAt_overallScore_idx";
        DELETE FROM deo_schema_history WHERE version >= 5"#)
        .await;
    assert_eq!(pending(&database).await.unwrap(), ALL[4..], "a check knows it");
    assert_eq!(recorded(&sql, OURS_BEFORE).await, Some(4), "and leaves it");
    assert_eq!(migrate(&database, false).await.unwrap().applied, ALL[4..]);
    assert_eq!(recorded(&sql, OURS_BEFORE).await, None);
    assert_eq!(sql.rows(kept).await[0].get::<_, String>(0), before);
    assert_eq!(recorded(&sql, OURS_NOW).await, Some(7));
    assert!(pending(&database).await.unwrap().is_empty());
    assert_eq!(migrate(&database, false).await.unwrap().applied.len(), 0);
}

#[tokio::test]
async fn who_may_make_no_schema_goes_on_with_the_history_of_before() {
    let (url, database, sql) = empty().await;
    migrate(&database, false).await.unwrap();
    sql.run(TO_BEFORE).await;
    let role = url.rsplit('/').next().unwrap().replace("deo_", "role_");
    sql.run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p'; ALTER TABLE deo_schema_history OWNER TO {role};
        GRANT ALL ON SCHEMA public TO {role}"
    ))
    .await;
    let place = url.split('@').next_back().unwrap();
    let theirs = Database::parse(&Secret::new(format!("postgres://{role}:p@{place}"))).unwrap();
    for _ in 0..2 {
        assert_eq!(migrate(&theirs, false).await.unwrap(), Default::default());
        assert!(pending(&theirs).await.unwrap().is_empty());
        assert_eq!(recorded(&sql, OURS_BEFORE).await, Some(7));
    }
    // Whoever may takes it over later, and makes what could not be made.
    let report = migrate(&database, false).await.unwrap();
    assert_eq!((report.adopted, report.applied), (vec![], strings(&ALL[6..])));
    assert_eq!(recorded(&sql, OURS_NOW).await, Some(7));
}

#[tokio::test]
async fn each_platform_in_a_database_has_a_history() {
    let (url, _, sql) = empty().await;
    for schema in ["public", "my-shop", "deo"] {
        let database = Database::parse(&Secret::new(format!("{url}?schema={schema}"))).unwrap();
        assert_eq!(pending(&database).await.unwrap(), ALL, "{schema}");
        assert_eq!(migrate(&database, false).await.unwrap().applied, ALL, "{schema}");
        assert!(pending(&database).await.unwrap().is_empty());
    }
    for table in [OURS_NOW, r#"deo."schema_history_of_my-shop""#, "deo.schema_history_of_deo"] {
        assert_eq!(recorded(&sql, table).await, Some(7), "{table}");
    }
}

/// A server of its own: roles are those of all its databases.
#[tokio::test]
async fn a_role_of_the_schema_s_name_keeps_its_search_path() {
    let server = PostgresServer::start().await.unwrap();
    let url = server.create_database().await.unwrap();
    let sql = Sql::connect(&url).await;
    let name = url.rsplit('/').next().unwrap();
    sql.run(&format!("CREATE ROLE deo LOGIN PASSWORD 'p'; ALTER DATABASE {name} OWNER TO deo"))
        .await;
    let place = url.split('@').next_back().unwrap();
    let database = Database::parse(&Secret::new(format!("postgres://deo:p@{place}"))).unwrap();
    for applied in [7, 0] {
        assert_eq!(migrate(&database, false).await.unwrap().applied.len(), applied);
        assert!(pending(&database).await.unwrap().is_empty());
    }
    assert_eq!(recorded(&sql, OURS_BEFORE).await, Some(7));
    assert_eq!(sql.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'deo'").await, 0);
}
