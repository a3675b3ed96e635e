//! Brings a database to where the functions need it: `migrations/*.sql`, each once.
//!
//! The platform's ORM may own the database: then its tables are taken as they are, and only what is
//! missing is added (see `migrations/README.md`).

mod catalog;
mod error;
mod fit;
mod history;
pub mod needs;
mod prisma;
mod target;

use refinery::{Migration, Runner, Target};
use shared::store::Database;
use tokio_postgres::{Client, SimpleQueryMessage};

pub use error::Error;
pub use prisma::{Prisma, prisma};

use catalog::Namesake;
use target::Makes;

mod embedded {
    #![allow(missing_docs, unreachable_pub)]
    refinery::embed_migrations!("../../migrations");
}

/// The advisory lock of whoever migrates: any number will do, if it is nobody else's.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(4839215610472)";

/// What a run did, by the names of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Run now.
    pub applied: Vec<String>,
    /// Recorded without being run: what they make was there.
    pub adopted: Vec<String>,
}

/// The migrations that are not applied yet, by the names of their files. Changes nothing.
///
/// # Errors
/// When the database cannot be asked, or when an applied migration differs from its file.
pub async fn pending(database: &Database) -> Result<Vec<String>, Error> {
    let mut client = database.in_its_schema().connect().await?;
    Ok(pending_of(&mut client).await?.iter().map(Migration::to_string).collect())
}

/// Every way in which the tables do not fit our statements, and every right that the role of `database` lacks, a
/// sentence each: with any of them a function fails. Tables that are still to be made are not looked for. Changes nothing.
///
/// # Errors
/// When the database cannot be asked, or when an applied migration differs from its file.
pub async fn unfit(database: &Database) -> Result<Vec<String>, Error> {
    let mut client = database.in_its_schema().connect().await?;
    let pending = pending_of(&mut client).await?;
    let mut unfit = unfit_but(&client, &pending).await?;
    unfit.extend(fit::rights(&client).await?);
    unfit.extend(gone_but(&client, &pending).await?.iter().map(told_gone));
    Ok(unfit)
}

/// The tables that an applied migration made and that are gone, a sentence each. Changes nothing.
///
/// # Errors
/// When the database cannot be asked, or when an applied migration differs from its file.
pub async fn gone(database: &Database) -> Result<Vec<String>, Error> {
    let mut client = database.in_its_schema().connect().await?;
    let pending = pending_of(&mut client).await?;
    let mut gone = missing_but(&client, &pending).await?;
    gone.extend(gone_but(&client, &pending).await?.iter().map(told_gone));
    Ok(gone)
}

/// The same without the rights of whoever asks, and of the tables that are there alone: for a role that may not see
/// what is applied.
///
/// # Errors
/// When the database cannot be asked.
pub async fn unfit_tables(database: &Database) -> Result<Vec<String>, Error> {
    let client = database.in_its_schema().connect().await?;
    Ok(fit::unfit_tables(&client).await?)
}

/// Which of the tables that the platform makes itself are not there, or not for this role; `None` where none of them is.
/// Changes nothing.
///
/// # Errors
/// When the database cannot be asked.
pub async fn missing_tables(database: &Database) -> Result<Option<Vec<String>>, Error> {
    let Makes::Tables(tables) = target::of(1) else { return Ok(Some(Vec::new())) };
    let client = database.in_its_schema().connect().await?;
    let missing = catalog::missing_tables(&client, tables).await?;
    Ok((missing.len() < tables.len()).then_some(missing))
}

/// Which of these rights on columns that are there (table, column, privilege) the role lacks, a sentence for each
/// privilege on a table, with the statement that grants it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn missing_rights(
    database: &Database,
    wanted: &[(&str, &str, &str)],
) -> Result<Vec<String>, Error> {
    let client = database.in_its_schema().connect().await?;
    Ok(fit::missing_rights(&client, wanted).await?)
}

/// As [`unfit`] without rights and tables of ours, where this is pending.
async fn unfit_but(client: &Client, pending: &[Migration]) -> Result<Vec<String>, Error> {
    let mut unfit = missing_but(client, pending).await?;
    unfit.extend(fit::unfit_tables(client).await?);
    Ok(unfit)
}

/// The migrations that are applied, where these are pending.
fn applied_but(pending: &[Migration]) -> impl Iterator<Item = Migration> {
    let mut all = embedded::migrations::runner().get_migrations().clone();
    all.retain(|it| pending.iter().all(|one| one.version() != it.version()));
    all.into_iter()
}

/// The platform's tables that are not there though they were made, a sentence each.
async fn missing_but(client: &Client, pending: &[Migration]) -> Result<Vec<String>, Error> {
    let made = applied_but(pending).flat_map(|it| match target::of(it.version()) {
        Makes::Tables(tables) => tables,
        Makes::Ours(_) | Makes::Index { .. } => &[],
    });
    let made: Vec<&str> = made.copied().collect();
    let missing = catalog::missing_tables(client, &made).await?;
    Ok(missing.iter().map(|table| format!("\"{table}\" is missing")).collect())
}

/// The applied migrations whose table of ours is gone, with that.
async fn gone_but(
    client: &Client,
    pending: &[Migration],
) -> Result<Vec<(Migration, &'static str)>, Error> {
    let mut gone = Vec::new();
    for migration in applied_but(pending) {
        if let Makes::Ours(table) = target::of(migration.version())
            && catalog::is_gone(client, table).await?
        {
            gone.push((migration, table));
        }
    }
    Ok(gone)
}

fn told_gone((migration, table): &(Migration, &str)) -> String {
    format!("deo.{table} is gone, which {migration} made: `deo migrate` makes it again")
}

/// Applies what is pending. With `baseline`, the platform's tables are there and stay as they are.
///
/// # Errors
/// When the database is not what `baseline` says, or a migration fails. What was applied before
/// that stays, and the next run goes on from there.
pub async fn migrate(database: &Database, baseline: bool) -> Result<Report, Error> {
    let database = database.in_its_schema();
    // Held by an idle transaction of its own, because an index is made outside of any. That waits
    // for every transaction with a snapshot; this one keeps none, as its query is a simple one.
    let mut guard = database.connect().await?;
    let guard = guard.transaction().await?;
    if !guard.simple_query(LOCK).await?.iter().any(is_true) {
        return Err(Error::Busy);
    }
    let report = migrate_alone(&database, baseline).await;
    // Awaited, or the server may hold the lock a while longer, and whoever migrates next is turned away.
    // Where that fails the connection is gone, and the lock with it.
    drop(guard.rollback().await);
    report
}

/// As [`migrate`], by whoever holds the lock.
async fn migrate_alone(database: &Database, baseline: bool) -> Result<Report, Error> {
    let mut client = database.connect().await?;
    if let Some(schema) = database.schema()
        && !catalog::schema_exists(&client, schema).await?
    {
        client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"")).await?;
    }
    // Where there is one the database is ours already: whether it was taken over no longer matters.
    if history::find(&client).await?.is_none() {
        inspect(&client, baseline).await?;
    }
    let pending = pending_of(&mut client).await?;
    let mut unfit = unfit_but(&client, &pending).await?;
    if baseline {
        unfit.extend(fit::rights(&client).await?);
    }
    if !unfit.is_empty() {
        return Err(Error::Unfit(unfit));
    }
    let history = history::prepare(&mut client).await?;
    let mut report = Report::default();
    // Recorded already, so that they are only run.
    for (migration, _) in gone_but(&client, &pending).await? {
        client.batch_execute(migration.sql().unwrap_or_default()).await?;
        report.applied.push(migration.to_string());
    }
    for migration in pending {
        let name = migration.to_string();
        if is_satisfied(&client, &migration).await? {
            run(&history, &mut client, Target::FakeVersion(migration.version())).await?;
            report.adopted.push(name);
        } else {
            apply(&history, &mut client, &migration).await?;
            report.applied.push(name);
        }
    }
    Ok(report)
}

fn is_true(message: &SimpleQueryMessage) -> bool {
    matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))
}

/// Whether a database without our history is what the caller takes it for.
async fn inspect(client: &Client, baseline: bool) -> Result<(), Error> {
    let Makes::Tables(tables) = target::of(1) else { return Ok(()) };
    let missing = catalog::missing_tables(client, tables).await?;
    if !missing.is_empty() && missing.len() < tables.len() {
        let there = tables.iter().filter(|table| missing.iter().all(|it| it != *table));
        let there = there.map(|table| (*table).to_owned()).collect();
        return Err(Error::Partial { there, missing });
    }
    match baseline {
        false if missing.is_empty() => Err(Error::Owned),
        false => Ok(()),
        true if !missing.is_empty() => Err(Error::NothingToTakeOver(missing)),
        true => Ok(()),
    }
}

/// Whether all that a migration makes is there.
async fn is_satisfied(client: &Client, migration: &Migration) -> Result<bool, Error> {
    Ok(match target::of(migration.version()) {
        Makes::Tables([]) | Makes::Ours(_) => false,
        Makes::Tables(tables) => catalog::missing_tables(client, tables).await?.is_empty(),
        Makes::Index { table, columns, .. } => {
            catalog::index_exists(client, table, columns).await?
        }
    })
}

async fn apply(history: &str, client: &mut Client, migration: &Migration) -> Result<(), Error> {
    let version = migration.version();
    let Makes::Index { name, table, columns } = target::of(version) else {
        return run(history, client, Target::Version(version)).await;
    };
    let statement = migration.sql().unwrap_or_default();
    match catalog::namesake(client, name, table, columns).await? {
        Namesake::None => {}
        Namesake::Foreign(is) => return Err(Error::NameTaken { name, is }),
        Namesake::Remains => {
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS \"{name}\"")).await?;
        }
    }
    if catalog::is_partitioned(client, table).await? {
        return Err(Error::Partitioned { table, statement: waiting(statement) });
    }
    client.batch_execute(statement).await?;
    // It stands; all that is left is to record it.
    run(history, client, Target::FakeVersion(version)).await
}

/// A migration's statement in one line, as whoever keeps writers out runs it.
fn waiting(statement: &str) -> String {
    let lines = statement.lines().map(str::trim).filter(|line| !line.starts_with("--"));
    let statement = lines.collect::<Vec<_>>().join(" ").replace(" CONCURRENTLY", "");
    statement.trim().trim_end_matches(';').to_owned()
}

async fn run(history: &str, client: &mut Client, target: Target) -> Result<(), Error> {
    runner(history).set_target(target).run_async(client).await?;
    Ok(())
}

async fn pending_of(client: &mut Client) -> Result<Vec<Migration>, Error> {
    let mut all = embedded::migrations::runner().get_migrations().clone();
    all.sort();
    if let Some(table) = history::find(client).await? {
        let applied = runner(&table).get_applied_migrations_async(client).await?;
        let same = |a: &Migration, b: &Migration| a.version() == b.version();
        for migration in &all {
            if applied.iter().any(|it| same(it, migration) && it != migration) {
                return Err(Error::Changed(migration.to_string()));
            }
        }
        all.retain(|migration| !applied.iter().any(|it| same(it, migration)));
    }
    Ok(all)
}

/// A runner that records in this table.
fn runner(history: &str) -> Runner {
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(history);
    runner
}
