//! What we take for granted of Postgres behind a pooler.

use std::time::Duration;

use shared::store::Database;
use tables::said;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::super::Check;

/// What is cancelled sleeps so long, in seconds, unless it is.
const SLEEP_S: f64 = 8.0;

/// How long the statement may be on its way before it is cancelled.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// How soon a cancelled statement ends.
const ENDS: Duration = Duration::from_secs(4);

pub(in crate::doctor) async fn attempt(database: &Database, checks: &mut Vec<Check>) {
    checks.push(cancel(database).await);
    checks.push(lock(database).await);
}

/// A batch that takes too long is cancelled, over a connection of its own.
async fn cancel(database: &Database) -> Check {
    const NAME: &str = "live.cancel";
    let client = match database.connect().await {
        Ok(client) => client,
        Err(error) => return Check::fail(NAME, error.to_string(), ""),
    };
    let token = client.cancel_token();
    let long = client.query_typed_one("SELECT pg_sleep($1)", &[(&SLEEP_S, Type::FLOAT8)]);
    let ask = async {
        sleep(UNDER_WAY).await;
        database.cancel(&token).await
    };
    let (ended, asked) = tokio::join!(timeout(UNDER_WAY + ENDS, long), ask);
    let remedy = "a pooler in between has to pass requests to cancel on: else statements that take too long go on, \
                  and hold their locks";
    match (ended, asked) {
        (Ok(Err(error)), Ok(())) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
            Check::ok(NAME, "a statement that takes too long is cancelled")
        }
        (_, Err(error)) => {
            Check::fail(NAME, format!("a request to cancel fails ({error})"), remedy)
        }
        (Ok(Err(error)), _) => Check::fail(NAME, said(&error), remedy),
        _ => Check::fail(NAME, "a statement goes on though it was cancelled", remedy),
    }
}

/// A project that is scored at once is locked by a lock that ends with its transaction.
async fn lock(database: &Database) -> Check {
    const NAME: &str = "live.lock";
    let name = format!("deo doctor {}", super::redis::random());
    let take = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))";
    let outcome = async {
        let (mut one, other) = (database.connect().await?, database.connect().await?);
        let taken = async {
            let transaction = one.transaction().await?;
            let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 1] =
                [(&name, Type::TEXT)];
            let mine: bool = transaction.query_typed_one(take, &params).await?.try_get(0)?;
            let theirs: bool = other.query_typed_one(take, &params).await?.try_get(0)?;
            transaction.rollback().await?;
            let after: bool = other.query_typed_one(take, &params).await?.try_get(0)?;
            Ok::<_, tokio_postgres::Error>((mine, theirs, after))
        };
        Ok::<_, shared::store::Error>(taken.await.map_err(|error| said(&error)))
    };
    match outcome.await {
        Ok(Ok((true, false, true))) => {
            Check::ok(NAME, "a lock is one session's, and ends with its transaction")
        }
        Ok(Ok(seen)) => Check::fail(
            NAME,
            format!("locks are not what they should be: {seen:?}, expected (true, false, true)"),
            "use a pooler that gives a transaction one session",
        ),
        Ok(Err(error)) => {
            Check::fail(NAME, error, "the role needs EXECUTE on the functions of advisory locks")
        }
        Err(error) => Check::fail(NAME, error.to_string(), ""),
    }
}
