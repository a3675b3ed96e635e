//! The database's contents: made for a private one, required of a given one.

use shared::clock::Clock;
use shared::config::ProcessEnv;
use tokio_postgres::{Error as PostgresError, Row};

use crate::Failure;
use crate::cli::migrate::database_at;
use crate::migrations;
use crate::seed::{self, Plan};
use crate::servers::Servers;
use crate::sign_in::{Account, NamedProject};
use crate::terminal::Step;

/// What a private database gets.
const PROJECTS: u32 = 20;
const ROWS: u32 = 20;
const PLAN: Plan = Plan { projects: PROJECTS, pages: ROWS, products: ROWS, seed: 1, now_ms: 0 };

/// An administrator of a private database, for looking at the queue and the fleet over HTTP.
pub(super) const ADMIN: &str = "local-admin";

const INSERT_ADMIN: &str = r#"
    INSERT INTO "User" (id, email, password, name, role, "createdAt", "updatedAt")
    VALUES ($1, $1 || '@example.com', 'cannot log in', 'Admin', 'ADMIN', now(), now())
    ON CONFLICT DO NOTHING"#;

/// How many of a user's projects there are to choose from.
const CHOICE: i64 = 200;

/// A project and its owner.
pub(super) struct SomeProject {
    pub(super) id: String,
    pub(super) user_id: String,
}

/// Migrates and seeds a private database. A given one is somebody's: it is only looked at.
pub(super) async fn prepare(servers: &Servers, told: bool) -> Result<(), Failure> {
    if !servers.postgres_is_private() {
        let database = database_at(&ProcessEnv, &servers.database_url())?;
        let pending = migrations::pending(&database).await?;
        if pending.is_empty() {
            return Ok(());
        }
        return Err(format!(
            "the database of DATABASE_URL lacks {}: run `deo migrate` first",
            pending.join(", ")
        )
        .into());
    }
    let step = Step::begin("migrating and seeding", told);
    let now_ms = Clock::System.now_ms();
    let plan = Plan { now_ms, ..PLAN };
    seed::into_empty(&servers.database_url(), &plan).await?;
    let client = database_at(&ProcessEnv, &servers.database_url())?.connect().await?;
    client.execute(INSERT_ADMIN, &[&ADMIN]).await?;
    step.done(format!("Seeded {PROJECTS} projects"))?;
    Ok(())
}

/// The first project of the database, to try the API with.
pub(super) async fn some_project(database_url: &str) -> Result<Option<SomeProject>, Failure> {
    let client = database_at(&ProcessEnv, database_url)?.connect().await?;
    let row =
        client.query_opt("SELECT id, \"userId\" FROM \"Project\" ORDER BY id LIMIT 1", &[]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SomeProject { id: row.try_get(0)?, user_id: row.try_get(1)? }))
}

/// Who owns that project, and all of theirs to choose from.
pub(super) async fn owner(database_url: &str, some: &SomeProject) -> Result<Account, Failure> {
    let client = database_at(&ProcessEnv, database_url)?.connect().await?;
    let projects = client
        .query(
            "SELECT id, name FROM \"Project\" WHERE \"userId\" = $1 ORDER BY id LIMIT $2",
            &[&some.user_id, &CHOICE],
        )
        .await?;
    let named = |row: &Row| Ok(NamedProject { id: row.try_get(0)?, name: row.try_get(1)? });
    let projects = projects.iter().map(named).collect::<Result<_, PostgresError>>()?;
    Ok(Account { user_id: some.user_id.clone(), role: "USER", project_id: None, projects })
}

/// Who may look at all projects of a private database.
pub(super) fn admin() -> Account {
    Account { user_id: ADMIN.to_owned(), role: "ADMIN", project_id: None, projects: Vec::new() }
}

/// The project of a private database that has a past, where there is one: not the first, which is for trying how
/// a project gets its first score.
pub(super) fn shown_project() -> String {
    PLAN.project_ids().nth(1).unwrap_or_default()
}
