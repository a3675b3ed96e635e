//! Where applied migrations are recorded: in a schema of our own, so that the platform's ORM finds no
//! table in its schema that it did not make.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

/// Where it was before, in the platform's schema.
const BEFORE: &str = "deo_schema_history";

/// The history of the schema that the platform's tables are in, null where that does not exist: a
/// database may hold several platforms.
const NAME: &str = "SELECT format('deo.%I', 'schema_history'
    || coalesce('_of_' || nullif(current_schema(), 'public'), ''))
    WHERE current_schema() IS NOT NULL";

/// Whether the schema can be made without being in anybody's way: `$user` would put it before the
/// platform's in the search path of a role that has its name.
const IS_FREE: &str = "SELECT NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'deo')";

/// The table in which this database's migrations are recorded, as statements write it; `None` when
/// none were ever applied.
pub(super) async fn find(client: &Client) -> Result<Option<String>, Error> {
    for table in name(client).await?.into_iter().chain([BEFORE.to_owned()]) {
        if exists(client, &table).await? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// The same, where there shall be one: makes the schema `deo`, and takes a history of before into
/// it. That stays where it is if a right to do so is missing, and serves as well.
///
/// This is the one place that makes the schema. All of ours is in it but the indexes on the platform's
/// tables, which Postgres keeps beside these.
pub(super) async fn prepare(client: &mut Client) -> Result<String, Error> {
    let Some(ours) = name(client).await? else { return Ok(BEFORE.to_owned()) };
    if exists(client, &ours).await? {
        return Ok(ours);
    }
    let is_free: bool = client.query_typed_one(IS_FREE, &[]).await?.try_get(0)?;
    if !is_free {
        return Ok(BEFORE.to_owned());
    }
    let has_one = exists(client, BEFORE).await?;
    match make(client, has_one.then_some(&ours)).await {
        Err(error) if has_one && error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            Ok(BEFORE.to_owned())
        }
        made => made.map(|()| ours),
    }
}

/// All or nothing; `take` is the history that the one of before becomes.
async fn make(client: &mut Client, take: Option<&String>) -> Result<(), Error> {
    let transaction = client.transaction().await?;
    if !super::catalog::schema_exists(transaction.client(), "deo").await? {
        transaction.batch_execute("CREATE SCHEMA deo").await?;
    }
    if let Some(ours) = take {
        let moved = format!(
            "CREATE TABLE {ours} (LIKE {BEFORE} INCLUDING ALL);
            INSERT INTO {ours} SELECT * FROM {BEFORE};
            DROP TABLE {BEFORE}"
        );
        transaction.batch_execute(&moved).await?;
    }
    transaction.commit().await
}

async fn name(client: &Client) -> Result<Option<String>, Error> {
    client.query_typed(NAME, &[]).await?.first().map(|row| row.try_get(0)).transpose()
}

async fn exists(client: &Client, table: &str) -> Result<bool, Error> {
    client
        .query_typed_one("SELECT to_regclass($1) IS NOT NULL", &[(&table, Type::TEXT)])
        .await?
        .try_get(0)
}
