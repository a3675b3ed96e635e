//! What there is to read in Postgres: who we are there, and whether the tables fit.

use shared::config::{Config, SnapshotRetention};
use shared::store::Database;
use tables::migrations::{Error, gone, missing_rights, missing_tables, pending, unfit_tables};
use tables::said;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Check;
use crate::permissions::Function;
use crate::permissions::postgres::{Only, grants};

/// The oldest Postgres that has all that our statements use: MATERIALIZED came with it.
const OLDEST: i32 = 120_000;

/// How far a clock may be off before it is told, in milliseconds.
const CLOCK_MS: i64 = 30_000;

/// Looks, and answers whether Postgres can be worked with at all.
pub(super) async fn look(
    database: &Database,
    function: Option<Function>,
    config: &Config,
    checks: &mut Vec<Check>,
) -> bool {
    let client = match database.connect().await {
        Ok(client) => client,
        Err(error) => {
            let remedy = "check DATABASE_URL, and that this machine may reach the database";
            checks.push(Check::fail("postgres.reach", error.to_string(), remedy));
            return false;
        }
    };
    checks.push(Check::ok("postgres.reach", format!("Postgres at {} answers", database.place())));
    checks.push(pooled(database.place()));
    checks.extend(server(&client).await);
    checks.push(migrations(database).await);
    if tables(database, checks).await {
        checks.push(rights(database, function, config).await);
    }
    checks.extend(row_security(&client, database.schema()).await);
    true
}

/// Neon's direct host keeps a few connections only, one for each of a hundred functions.
fn pooled(place: &str) -> Check {
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    if host.ends_with(".neon.tech") && !host.contains("-pooler.") {
        let told = "DATABASE_URL leads to Neon's direct host, which runs out of connections";
        let remedy = "take the pooled URL, whose host has `-pooler` in it; the direct one is for `deo migrate`";
        return Check::warn("postgres.pooled", told, remedy);
    }
    Check::ok("postgres.pooled", "the address is one for functions")
}

/// Its version, whether it can be written, and its clock.
async fn server(client: &Client) -> Vec<Check> {
    let asked = "SELECT current_setting('server_version_num')::integer, pg_is_in_recovery(),
        current_setting('default_transaction_read_only') = 'on',
        floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, current_setting('server_encoding')";
    let row = match client.query_typed_one(asked, &[]).await {
        Ok(row) => row,
        Err(error) => return vec![Check::fail("postgres.server", said(&error), "")],
    };
    let mut checks = Vec::new();
    let version: i32 = row.try_get(0).unwrap_or_default();
    let told = format!("Postgres is {}.{}", version / 10_000, version % 10_000);
    checks.push(match version < OLDEST {
        true => Check::fail("postgres.version", told, "use 12 or newer; 15 is tried"),
        false => Check::ok("postgres.version", told),
    });
    if row.try_get(1).unwrap_or(false) || row.try_get(2).unwrap_or(false) {
        let told = "Postgres takes no writes: it is a standby, or read-only for this role";
        checks.push(Check::fail("postgres.server", told, "let DATABASE_URL lead to the primary"));
    }
    if let Ok(encoding) = row.try_get::<_, String>(4)
        && encoding != "UTF8"
    {
        let told = format!("the database's encoding is {encoding}");
        let remedy = "texts are counted as UTF-8: make the database with the encoding UTF8";
        checks.push(Check::fail("postgres.server", told, remedy));
    }
    let off = row.try_get::<_, i64>(3).map(|at| shared::clock::Clock::System.now_ms() - at);
    checks.push(match off {
        Ok(off) if off.abs() > CLOCK_MS => Check::warn(
            "postgres.clock",
            format!("this machine's clock is {} s off that of Postgres", off / 1_000),
            "let it be set by a time server: the ages of pages are told by it",
        ),
        _ => Check::ok("postgres.clock", "this machine's clock agrees with that of Postgres"),
    });
    checks
}

async fn migrations(database: &Database) -> Check {
    match pending(database).await {
        Ok(pending) if pending.is_empty() => {
            Check::ok("postgres.migrations", "every migration is applied")
        }
        Ok(pending) => {
            let told = format!("migrations are not applied: {}", pending.join(", "));
            let remedy =
                "run `deo migrate`, with --baseline where the platform's ORM made the tables";
            Check::fail("postgres.migrations", told, remedy)
        }
        // A function's role needs nothing of ours there.
        Err(error) if error.is_refused() => {
            let told = "this role may not see which migrations are applied";
            Check::warn(
                "postgres.migrations",
                told,
                "run `deo migrate --check` as the tables' owner",
            )
        }
        Err(error) => Check::fail("postgres.migrations", error.to_string(), ""),
    }
}

/// Whether the tables fit. Answers whether there are any, so that rights on them can be asked for.
async fn tables(database: &Database, checks: &mut Vec<Check>) -> bool {
    const NAME: &str = "postgres.tables";
    match unfit(database).await {
        Ok(None) => {
            let told = "none of the platform's tables is there, or none that this role may use";
            let remedy = "run `deo migrate` where the database is to be made; else let DATABASE_URL lead to it, with \
                          schema= where they are in another schema than public, and GRANT USAGE ON SCHEMA";
            checks.push(Check::fail(NAME, told, remedy));
            return false;
        }
        Ok(Some(unfit)) if unfit.is_empty() => {
            checks.push(Check::ok(NAME, "every table has what is needed"));
        }
        Ok(Some(unfit)) => {
            let remedy = "let the platform's ORM mend it, or `deo migrate` make what it lacks";
            checks.extend(unfit.into_iter().map(|told| Check::fail(NAME, told, remedy)));
        }
        Err(error) => checks.push(Check::fail(NAME, error.to_string(), "")),
    }
    true
}

/// What does not fit, a sentence each; `None` where there is no table that could.
async fn unfit(database: &Database) -> Result<Option<Vec<String>>, Error> {
    let Some(missing) = missing_tables(database).await? else { return Ok(None) };
    let mut unfit: Vec<String> =
        missing.iter().map(|table| format!("\"{table}\" is missing")).collect();
    match gone(database).await {
        // One that was made and is gone is told once.
        Ok(gone) => {
            let new: Vec<String> = gone.into_iter().filter(|it| !unfit.contains(it)).collect();
            unfit.extend(new);
        }
        // Who may not see what is applied knows of no table that it is gone.
        Err(error) if error.is_refused() => {}
        Err(error) => return Err(error),
    }
    unfit.extend(unfit_tables(database).await?);
    Ok(Some(unfit))
}

/// Whether this role may do what the function does, or all of them, with these settings.
async fn rights(database: &Database, function: Option<Function>, config: &Config) -> Check {
    let functions = match &function {
        Some(function) => std::slice::from_ref(function),
        None => &Function::ALL[..],
    };
    let is_needed = |only| match only {
        // What is not there is not asked for.
        None | Some(Only::Column | Only::Table) => true,
        Some(Only::Pruning) => config.drain.snapshots != SnapshotRetention::All,
        Some(Only::Drops) => config.drops.points.is_some(),
    };
    let mut wanted: Vec<(&str, &str, &str)> = Vec::new();
    for grant in functions.iter().flat_map(|it| grants(*it)).filter(|it| is_needed(it.only)) {
        let columns = if grant.columns.is_empty() { &[""] } else { grant.columns };
        wanted.extend(columns.iter().map(|column| (grant.table, *column, grant.privilege)));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let whose = function.map_or_else(|| "all functions do".to_owned(), |it| format!("`{it}` does"));
    match missing_rights(database, &wanted).await {
        Ok(missing) if missing.is_empty() => {
            Check::ok("postgres.rights", format!("this role may do what {whose}"))
        }
        Ok(missing) => {
            let remedy = match function {
                Some(_) => "docs/permissions.md has them all",
                None => "or say whose role it is, by --function",
            };
            Check::fail("postgres.rights", missing.join("; "), remedy)
        }
        Err(error) => Check::fail("postgres.rights", error.to_string(), ""),
    }
}

/// Whether events of drops can be told, and how many are stuck: `None` where this role, as the API's, may not read them.
pub(super) async fn drops(database: &Database, checks: &mut Vec<Check>) -> Option<u64> {
    const NAME: &str = "postgres.drops";
    // What keeps it from that was told.
    let client = database.in_its_schema().connect().await.ok()?;
    let error = match stuck(&client).await {
        Ok(0) => {
            checks.push(Check::ok(NAME, "no drop has been due for long"));
            return Some(0);
        }
        Ok(count) => {
            let told =
                format!("{count} drops have been due for more than a day, and nobody sends them");
            let remedy =
                "give `drain` and `cron` DROP_EVENTS_POINTS and a target, and look into their logs";
            checks.push(Check::warn(NAME, told, remedy));
            return Some(count);
        }
        Err(error) => error,
    };
    checks.extend(match error.code() {
        // Whether that is as it should be is told with the rights.
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => None,
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME) => {
            let told = "DROP_EVENTS_POINTS is set, and there is no table deo.score_drop";
            Some(Check::fail(NAME, told, "run `deo migrate`"))
        }
        _ => Some(Check::fail(NAME, said(&error), "")),
    });
    None
}

/// How many events of drops have been due for so long that each night would have come to them.
async fn stuck(client: &Client) -> Result<u64, tokio_postgres::Error> {
    let asked = r#"SELECT count(*) FROM deo.score_drop
        WHERE ended_at IS NULL AND due_at < now() AT TIME ZONE 'UTC' - interval '25 hours'
            AND platform = (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.oid = to_regclass('"Project"'))"#;
    let count: i64 = client.query_typed_one(asked, &[]).await?.try_get(0)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Policies that hide rows from this role: a project without its pages has another score.
async fn row_security(client: &Client, schema: Option<&str>) -> Option<Check> {
    let asked = r#"
        SELECT c.relname::text FROM pg_class c
        WHERE c.relname = ANY ('{User,Project,ProjectMember,CrawlResult,Product,DeoScoreSnapshot}')
            AND c.relnamespace = coalesce(to_regnamespace(quote_ident($1))::oid,
                (SELECT p.relnamespace FROM pg_class p WHERE p.oid = to_regclass('"Project"')))
            AND c.relkind IN ('r', 'p') AND row_security_active(c.oid) ORDER BY 1"#;
    let rows = client.query_typed(asked, &[(&schema, Type::TEXT)]).await.ok()?;
    let tables: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    if tables.is_empty() {
        return None;
    }
    let told = format!("policies of row-level security hold for this role: {}", tables.join(", "));
    let remedy = "they must let it see every row, or it has to be made with BYPASSRLS";
    Some(Check::warn("postgres.policies", told, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn neons_direct_host_is_told() {
        for (place, verdict) in [
            ("ep-cool-1.eu-central-1.aws.neon.tech:5432", Verdict::Warn),
            ("ep-cool-1-pooler.eu-central-1.aws.neon.tech:5432", Verdict::Ok),
            ("db.example:5432", Verdict::Ok),
        ] {
            assert_eq!(pooled(place).verdict, verdict, "{place}");
        }
    }
}
