//! `deo migrate`: the database gets the tables and indexes that it lacks.

use std::process::ExitCode;

use serde_json::json;
use shared::config::{Env, ProcessEnv, Secret, written};
use shared::store::Database;

use crate::settings::given;
use crate::{Failure, Outcome};
use crate::{migrations, terminal};

/// Make the tables and indexes that the database of DATABASE_URL lacks
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Change nothing; list what is pending and what does not fit, and exit with 1 when anything does
    #[arg(long, conflicts_with = "baseline")]
    check: bool,
    /// The platform's ORM owns this database: take its tables as they are and add only what is
    /// missing
    #[arg(long)]
    baseline: bool,
    /// Change nothing; print our indexes for Prisma: the lines of its schema, or the SQL of a migration
    #[arg(long, value_enum, value_name = "FOR", conflicts_with_all = ["baseline", "check", "json"])]
    prisma: Option<For>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Where it is to be put.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum For {
    /// Into the models of schema.prisma
    Schema,
    /// Into a migration.sql of its own
    Migration,
}

pub(super) async fn run(args: Args) -> Outcome {
    let database = database(&ProcessEnv)?;
    if let Some(place) = args.prisma {
        let ours = migrations::prisma(&database).await?;
        let text = match place {
            For::Schema => ours.schema,
            For::Migration => ours.migration,
        };
        terminal::say(text.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        return check(&database, args.json).await;
    }
    let spinner = terminal::spinner("migrating");
    let report = migrations::migrate(&database, args.baseline).await;
    spinner.finish_and_clear();
    let report = report?;
    if args.json {
        terminal::say(json!(report).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    for name in &report.adopted {
        terminal::say(format!("{name}: was there already"))?;
    }
    for name in &report.applied {
        terminal::say(format!("{name}: applied"))?;
    }
    if report.adopted.is_empty() && report.applied.is_empty() {
        terminal::say("nothing was pending")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(database: &Database, as_json: bool) -> Outcome {
    let pending = migrations::pending(database).await?;
    let unfit = migrations::unfit(database).await?;
    let is_well = pending.is_empty() && unfit.is_empty();
    if as_json {
        terminal::say(json!({ "pending": pending, "unfit": unfit }).to_string())?;
    } else if is_well {
        terminal::say("nothing is pending, and the tables fit")?;
    }
    for name in pending.iter().filter(|_| !as_json) {
        terminal::say(format!("{name}: pending"))?;
    }
    for sentence in unfit.iter().filter(|_| !as_json) {
        terminal::say(format!("does not fit: {sentence}"))?;
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The database that `DATABASE_URL` names.
pub(super) fn database(env: &impl Env) -> Result<Database, Failure> {
    let url = written(env, "DATABASE_URL")?;
    let url = url.ok_or("DATABASE_URL is not set; it names the Postgres database to work on")?;
    Ok(database_at(env, &url)?)
}

/// The database at `url`, which is that of `DATABASE_URL` or beside it, with whom `DATABASE_CA` says to trust.
pub(super) fn database_at(env: &impl Env, url: &str) -> Result<Database, shared::store::Error> {
    Database::parse_trusting(&Secret::new(url), given(env, "DATABASE_CA").as_deref())
}
