//! What a database has to be like to be taken over, held to the statements themselves: one thing of the tables is
//! changed, and then everything is asked of them.

use std::collections::BTreeSet;

use local::permissions::{Function, postgres::grants};
use serde_json::value::RawValue;
use shared::config::{Scope, Secret, SnapshotRetention};
use shared::store::{Access, Database, NewSnapshot, Saved, Store, Stretch, snapshot_id};
use tables::migrations::needs::{COLUMNS, Column, MEMBERS};
use tables::migrations::{Error, migrate, unfit};

use super::{NOON, Sql, server, store};

const V1: &str = include_str!("../../../migrations/V1__platform_tables.sql");
const V2: &str = include_str!("../../../migrations/V2__deo_score_snapshot.sql");

/// References need the same type on both sides; a platform may have none. And one row of everything.
const ROWS: &str = r#"
    ALTER TABLE "Project" DROP CONSTRAINT "Project_userId_fkey";
    ALTER TABLE "CrawlResult" DROP CONSTRAINT "CrawlResult_projectId_fkey";
    ALTER TABLE "Product" DROP CONSTRAINT "Product_projectId_fkey";
    ALTER TABLE "DeoScoreSnapshot" DROP CONSTRAINT "DeoScoreSnapshot_projectId_fkey";
    CREATE TABLE "ProjectMember" ("projectId" TEXT NOT NULL, "userId" TEXT NOT NULL, role TEXT NOT NULL);
    INSERT INTO "User" VALUES ('u', '', '', NULL, 'USER', now(), now());
    INSERT INTO "Project" (id, "userId", name) VALUES ('p', 'u', '');
    INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "wordCount")
        VALUES ('c', 'p', '/', 200, '[]', 5);
    INSERT INTO "Product" (id, "projectId", "externalId", title) VALUES ('d', 'p', '', 'Mug')"#;

const USER: &str = "u";
const PROJECT: &str = "p";

/// All types that columns are tried with, and what Postgres calls each without its length.
const TYPES: [(&str, &str); 15] = [
    ("TEXT", "text"),
    ("VARCHAR(36)", "character varying"),
    ("VARCHAR(30)", "character varying"),
    ("VARCHAR(1)", "character varying"),
    ("public.short", "character varying"),
    ("CHAR(40)", "character"),
    ("SMALLINT", "smallint"),
    ("INTEGER", "integer"),
    ("BIGINT", "bigint"),
    ("NUMERIC", "numeric"),
    ("JSON", "json"),
    ("JSONB", "jsonb"),
    ("TIMESTAMP", "timestamp without time zone"),
    ("TIMESTAMP(0)", "timestamp without time zone"),
    ("TIMESTAMPTZ", "timestamp with time zone"),
];

/// One database, in which each change is tried in a schema of its own.
struct Workshop {
    url: String,
    sql: Sql,
    made: usize,
}

/// Whether tables are accepted, and whether they work.
type Verdict = (Vec<String>, Result<(), String>);

impl Workshop {
    async fn new() -> Self {
        let url = server().await.create_database().await.unwrap();
        let sql = Sql::connect(&url).await;
        sql.run("CREATE DOMAIN public.short AS VARCHAR(191); CREATE DOMAIN public.told AS text NOT NULL").await;
        Self { url, sql, made: 0 }
    }

    /// Makes the tables with this change; answers where they are, and what is refused of them. `None` where
    /// Postgres does not make it.
    async fn make(&mut self, change: &str) -> Option<(String, Vec<String>)> {
        self.made += 1;
        let schema = format!("m{}", self.made);
        self.sql.run(&format!("CREATE SCHEMA {schema}; SET search_path = {schema}")).await;
        self.sql.run(&[V1, V2, ROWS].concat()).await;
        self.sql.0.batch_execute(change).await.ok()?;
        let url = format!("{}?schema={schema}", self.url);
        let unfit = unfit(&Database::parse(&Secret::new(&*url)).unwrap()).await.unwrap();
        Some((url, unfit))
    }

    /// Tries the tables after this change.
    async fn after(&mut self, change: &str) -> Option<Verdict> {
        let (url, unfit) = self.make(change).await?;
        Some((unfit, try_all(&url).await))
    }

    /// The columns of the tables of `public`, a table and a name each.
    async fn columns(&self) -> Vec<(String, String)> {
        self.sql.run(&["SET search_path = public; ", V1, V2, ROWS].concat()).await;
        let rows = self
            .sql
            .rows(
                "SELECT table_name::text, column_name::text
            FROM information_schema.columns WHERE table_schema = 'public'",
            )
            .await;
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

async fn try_all(url: &str) -> Result<(), String> {
    let store = store(url);
    let works = everything(&store).await;
    store.close().await;
    works
}

/// Runs every statement of the store; what failed first.
async fn everything(store: &Store) -> Result<(), String> {
    let text = |error: shared::store::Error| error.to_string();
    let ids = [PROJECT.to_owned()];
    let rows = store.signals(&ids).await.map_err(text)?;
    let rows = rows.get(PROJECT).ok_or("no project")?.as_ref().map_err(|e| e.to_string())?;
    if rows.malformed_rows > 0 {
        return Err("malformed rows".to_owned());
    }
    for (computed_at_ms, overall) in [(NOON, 40), (NOON + 1, 50)] {
        let snapshot = NewSnapshot {
            id: snapshot_id("p", "q", "1", computed_at_ms),
            project_id: PROJECT.to_owned(),
            computed_at_ms,
            overall,
            content: overall,
            entities: overall,
            technical: overall,
            visibility: overall,
            metadata: RawValue::from_string("{}".to_owned()).unwrap(),
        };
        for saved in store.save(&[snapshot.clone(), snapshot]).await.map_err(text)? {
            match saved {
                Saved::Stored { .. } => {}
                other => return Err(format!("{other:?}")),
            }
        }
    }
    let newest = store.latest_snapshot(PROJECT).await.map_err(text)?.ok_or("no snapshot")?;
    let current = store.current_score(PROJECT).await.map_err(text)?.ok_or("no score")?;
    let seen = (newest.computed_at_ms, newest.version.as_str(), newest.content, current.overall);
    if seen != (NOON + 1, "v1", Some(50), Some(50)) || current.computed_at_ms != Some(NOON + 1) {
        return Err(format!("stored as {seen:?}"));
    }
    if store.series(PROJECT, (None, None), 4).await.map_err(text)?.snapshots != 2 {
        return Err("no series".to_owned());
    }
    store.fleet().await.map_err(text)?;
    store.movers((Some(NOON), None), None, 5).await.map_err(text)?;
    store.never_scored(None, 5).await.map_err(text)?;
    store.still_failing(&[(PROJECT, NOON + 9)]).await.map_err(text)?;
    for user in [USER, "nobody"] {
        let granted = matches!(store.access(user, PROJECT).await.map_err(text)?, Access::Granted);
        if granted != (user == USER) {
            return Err("access".to_owned());
        }
        store.user_role(user).await.map_err(text)?;
    }
    for scope in [Scope::All, Scope::Stale] {
        let stretch = Stretch { after: None, until: None, look_at: 5, take: 5 };
        store.projects_page(scope, stretch, 7).await.map_err(text)?;
    }
    let kept = SnapshotRetention::Newest(1);
    if store.prune_snapshots(&[PROJECT], kept, NOON).await.map_err(text)? != 1 {
        return Err("nothing pruned".to_owned());
    }
    Ok(())
}

#[tokio::test]
async fn a_column_is_asked_for_just_where_a_statement_names_it() {
    let mut workshop = Workshop::new().await;
    assert_eq!(workshop.after("").await, Some((vec![], Ok(()))));
    let mut needed = BTreeSet::new();
    for (table, name) in workshop.columns().await {
        let change = format!("ALTER TABLE \"{table}\" DROP COLUMN \"{name}\" CASCADE");
        let (unfit, works) = workshop.after(&change).await.unwrap();
        assert_eq!(unfit.is_empty(), works.is_ok(), "{table}.{name}: {unfit:?} {works:?}");
        if works.is_err() {
            assert_eq!(unfit[0], format!("\"{table}\".\"{name}\" is missing"));
            needed.insert((table, name));
        }
    }
    let listed = COLUMNS.iter().chain(&MEMBERS).map(|it| (it.table.to_owned(), it.name.to_owned()));
    assert_eq!(needed, listed.collect());
}

/// All columns that may have a type get it at once: what of them is accepted works together.
#[tokio::test]
async fn every_type_and_length_that_is_accepted_works_and_every_other_type_is_named() {
    let mut workshop = Workshop::new().await;
    let columns = || COLUMNS.iter().chain(&MEMBERS).filter(|it| it.types != ".*");
    let mut too_short = BTreeSet::new();
    for (kind, base) in TYPES {
        let may_be = |it: &&Column| it.types.split('|').any(|one| one == base);
        let to = |it: &Column, using: &str| {
            let Column { table, name, .. } = it;
            format!(
                "ALTER TABLE \"{table}\" ALTER \"{name}\" DROP DEFAULT, \
                 ALTER \"{name}\" TYPE {kind} USING {using};"
            )
        };
        let cast = |it: &Column| to(it, &format!("\"{}\"::text::{kind}", it.name));
        let is_named = |unfit: &[String], it: &Column| {
            let place = format!("\"{}\".\"{}\" ", it.table, it.name);
            unfit.iter().any(|sentence| sentence.starts_with(&place))
        };
        let all: String = columns().filter(may_be).map(cast).collect();
        let (_, unfit) = workshop.make(&all).await.expect(kind);
        let accepted = columns().filter(may_be).filter(|it| !is_named(&unfit, it));
        let verdict = workshop.after(&accepted.map(cast).collect::<String>()).await;
        assert_eq!(verdict, Some((vec![], Ok(()))), "{kind}");
        let short = columns().filter(may_be).filter(|it| is_named(&unfit, it));
        too_short.extend(short.map(|it| (kind, it.name)));

        // No value can be cast, and no key is left.
        let others = || columns().filter(|it| !may_be(it));
        let empty = others().map(|it| {
            let Column { table, name, .. } = it;
            format!(
                "ALTER TABLE \"{table}\" DROP CONSTRAINT IF EXISTS \"{table}_pkey\"; \
                 ALTER TABLE \"{table}\" ALTER \"{name}\" DROP NOT NULL; {}",
                to(it, "NULL")
            )
        });
        let (_, unfit) = workshop.make(&empty.collect::<String>()).await.expect(kind);
        for it in others() {
            assert!(is_named(&unfit, it), "{}.{} {kind}", it.table, it.name);
        }
    }
    let expected = [
        ("VARCHAR(30)", "id"),
        ("VARCHAR(1)", "id"),
        ("VARCHAR(1)", "version"),
        ("TIMESTAMP(0)", "computedAt"),
        ("TIMESTAMP(0)", "currentDeoScoreComputedAt"),
    ];
    assert_eq!(too_short, expected.into());
}

#[tokio::test]
async fn what_keeps_a_snapshot_from_being_stored_is_told_and_what_does_not_is_not() {
    let mut workshop = Workshop::new().await;
    let filled = |column: &str, then: &str| {
        format!(
            "ADD \"note\" {column}; CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN NEW.note := ''; RETURN NEW; END$$;
            CREATE TRIGGER fill BEFORE INSERT ON \"DeoScoreSnapshot\" FOR EACH ROW EXECUTE FUNCTION fill(); {then}"
        )
    };
    let off = "ALTER TABLE \"DeoScoreSnapshot\" DISABLE TRIGGER fill";
    for (change, says) in [
        ("ADD \"note\" text NOT NULL", "\"note\" must have a value"),
        ("ADD \"note\" text NOT NULL DEFAULT ''", ""),
        ("ADD \"note\" integer GENERATED ALWAYS AS IDENTITY", ""),
        ("ADD \"note\" integer GENERATED ALWAYS AS (\"overallScore\" * 2) STORED NOT NULL", ""),
        (
            "DROP \"contentScore\", ADD \"contentScore\" integer GENERATED ALWAYS AS (50) STORED",
            "is computed",
        ),
        ("DROP CONSTRAINT \"DeoScoreSnapshot_pkey\"", "no primary key or unique index"),
        ("DROP CONSTRAINT \"DeoScoreSnapshot_pkey\", ADD UNIQUE (id)", ""),
        ("DROP CONSTRAINT \"DeoScoreSnapshot_pkey\", ADD UNIQUE (id) INCLUDE (version)", ""),
        (
            "DROP CONSTRAINT \"DeoScoreSnapshot_pkey\", ADD UNIQUE (id) DEFERRABLE",
            "checked at once",
        ),
        (
            "DROP CONSTRAINT \"DeoScoreSnapshot_pkey\", ADD PRIMARY KEY (id, \"projectId\")",
            "\"id\" alone",
        ),
        ("ADD UNIQUE (\"projectId\")", "has the unique index"),
        ("ADD UNIQUE (\"projectId\", version)", "has the unique index"),
        ("ADD UNIQUE (\"projectId\", \"computedAt\")", ""),
        (
            "ADD \"isPinned\" boolean NOT NULL DEFAULT false;
            CREATE UNIQUE INDEX ON \"DeoScoreSnapshot\" (\"projectId\") WHERE \"isPinned\"",
            "",
        ),
        (&filled("text NOT NULL", ""), ""),
        (&filled("text NOT NULL", off), "\"note\" must have a value"),
        (&filled("public.told", ""), "\"note\" must have a value"),
    ] {
        let change = format!("ALTER TABLE \"DeoScoreSnapshot\" {change}");
        let (unfit, works) = workshop.after(&change).await.expect(&change);
        assert_eq!(unfit.is_empty(), works.is_ok(), "{change}: {unfit:?} {works:?}");
        assert_eq!(unfit.is_empty(), says.is_empty(), "{change}: {unfit:?}");
        assert!(unfit.is_empty() || unfit[0].contains(says), "{change}: {unfit:?}");
    }
    let shorter = "ALTER TABLE \"DeoScoreSnapshot\" ALTER \"projectId\" TYPE varchar(30)";
    let (unfit, _) = workshop.after(shorter).await.unwrap();
    assert!(unfit[0].contains("shorter than \"Project\".\"id\""), "{unfit:?}");
    let both = format!("{shorter}; ALTER TABLE \"Project\" ALTER id TYPE varchar(30)");
    assert_eq!(workshop.after(&both).await, Some((vec![], Ok(()))));
    let view = "ALTER TABLE \"CrawlResult\" RENAME TO pages; CREATE VIEW \"CrawlResult\" AS SELECT * FROM pages";
    let (unfit, _) = workshop.after(view).await.unwrap();
    assert!(
        unfit[0].starts_with("\"CrawlResult\" is a view, not a table: let DATABASE_URL"),
        "{unfit:?}"
    );
}

/// The rights that are looked for are those of all functions, which tests hold to what each of them does.
#[tokio::test]
async fn rights_are_looked_for_as_the_functions_need_them() {
    let mut granted = BTreeSet::new();
    for grant in Function::ALL.into_iter().flat_map(grants).filter(|it| it.only.is_none()) {
        granted.extend(grant.columns.iter().map(|column| (grant.privilege, grant.table, *column)));
    }
    let listed =
        COLUMNS.iter().flat_map(|it| it.rights.iter().map(|right| (*right, it.table, it.name)));
    assert_eq!(listed.collect::<BTreeSet<_>>(), granted);

    let url = server().await.create_database().await.unwrap();
    let owner = Database::parse(&Secret::new(&*url)).unwrap();
    migrate(&owner, false).await.unwrap();
    let role = url.rsplit('/').next().unwrap().replace("deo_", "fit_");
    let sql = Sql::connect(&url).await;
    sql.run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p'; GRANT USAGE ON SCHEMA deo TO {role};
        GRANT SELECT ON ALL TABLES IN SCHEMA deo TO {role}"
    ))
    .await;
    for (right, table, column) in &granted {
        sql.run(&format!("GRANT {right} (\"{column}\") ON \"{table}\" TO {role}")).await;
    }
    let place = url.split('@').next_back().unwrap();
    let theirs = Database::parse(&Secret::new(format!("postgres://{role}:p@{place}"))).unwrap();
    assert_eq!(unfit(&theirs).await.unwrap(), [""; 0]);
    sql.run(&format!("REVOKE UPDATE (\"currentDeoScore\") ON \"Project\" FROM {role}")).await;
    let told = unfit(&theirs).await.unwrap();
    let says = format!("GRANT UPDATE (\"currentDeoScore\") ON \"Project\" TO {role}");
    assert!(told.len() == 1 && told[0].contains(&says), "{told:?}");
}

async fn platform() -> (Database, Sql) {
    let url = server().await.create_database().await.unwrap();
    let sql = Sql::connect(&url).await;
    sql.run(&[V1, V2].concat()).await;
    (Database::parse(&Secret::new(&*url)).unwrap(), sql)
}

#[tokio::test]
async fn what_ceases_to_fit_is_told_by_every_check() {
    let (database, sql) = platform().await;
    migrate(&database, true).await.unwrap();
    sql.run("ALTER TABLE \"DeoScoreSnapshot\" DROP \"entityScore\"; DROP TABLE \"Product\"").await;
    let told = ["\"Product\" is missing", "\"DeoScoreSnapshot\".\"entityScore\" is missing"];
    assert_eq!(unfit(&database).await.unwrap(), told);
    for baseline in [false, true] {
        let error = migrate(&database, baseline).await.unwrap_err();
        assert!(matches!(&error, Error::Unfit(unfit) if unfit == &told), "{error}");
    }
}

#[tokio::test]
async fn an_index_that_only_includes_a_column_is_not_ordered_by_it() {
    let (database, sql) = platform().await;
    sql.run(r#"CREATE INDEX a ON "DeoScoreSnapshot" ("projectId") INCLUDE ("computedAt", "overallScore");
        CREATE INDEX b ON "Product" ("projectId") INCLUDE (title)"#).await;
    let report = migrate(&database, true).await.unwrap();
    assert_eq!(report.adopted[2..], ["V5__products_by_project"]);
    assert_eq!(report.applied.len(), 4);
}

#[tokio::test]
async fn what_has_an_index_s_name_is_told_with_the_remedy_and_kept() {
    let name = "deo_Product_projectId_idx";
    for (made, kind) in [
        (format!("CREATE INDEX \"{name}\" ON \"Product\" (title)"), "INDEX"),
        (
            format!(
                "CREATE INDEX \"{name}\" ON \"User\" (email);
            UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"{name}\"'::regclass"
            ),
            "INDEX",
        ),
        (format!("CREATE TABLE \"{name}\" ()"), "TABLE"),
    ] {
        let (database, sql) = platform().await;
        sql.run(&made).await;
        let error = migrate(&database, true).await.unwrap_err().to_string();
        let remedy = format!("ALTER {kind} \"{name}\" RENAME TO \"{name}_before\"");
        assert!(error.contains(&format!("`{remedy}`")), "{error}");
        sql.run(&remedy).await;
        assert_eq!(migrate(&database, true).await.unwrap().applied.len(), 3, "{made}");
    }
}

#[tokio::test]
async fn a_partitioned_table_is_taken_once_its_index_is_made_as_the_message_says() {
    let (database, sql) = platform().await;
    sql.run(r#"DROP TABLE "CrawlResult"; CREATE TABLE "CrawlResult" ("id" TEXT NOT NULL, "projectId" TEXT NOT NULL,
            "url" TEXT NOT NULL, "statusCode" INTEGER NOT NULL, "title" TEXT, "metaDescription" TEXT, "h1" TEXT,
            "wordCount" INTEGER, "issues" JSONB NOT NULL, "scannedAt" TIMESTAMP(3) NOT NULL)
            PARTITION BY HASH ("projectId");
        CREATE TABLE one PARTITION OF "CrawlResult" FOR VALUES WITH (MODULUS 1, REMAINDER 0)"#).await;
    let error = migrate(&database, true).await.unwrap_err().to_string();
    let remedy = r#"CREATE INDEX "deo_CrawlResult_projectId_idx" ON "CrawlResult" ("projectId")"#;
    assert!(error.contains(&format!("`{remedy}`")), "{error}");
    sql.run(remedy).await;
    let report = migrate(&database, true).await.unwrap();
    assert_eq!(report.adopted, ["V4__pages_by_project"]);
}
