//! A database and a key prefix of the demo's own, on servers that may be somebody's.

use rand::distr::{Alphanumeric, SampleString as _};
use shared::config::{Endpoint, ProcessEnv, Secret};
use shared::redis::{Command, Options, Redis, Value};
use shared::store::Database;
use tables::said;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::Failure;
use crate::cli::migrate::database_at;
use crate::queue::{Scan, escaped};
use crate::servers::Servers;
use crate::settings::given;

/// Where the demo may write.
pub(super) struct Scratch {
    redis_url: String,
    prefix: String,
    /// Somebody's Redis, on which our keys have to be removed.
    redis_is_shared: bool,
    database_url: String,
    /// The name of our database on somebody's Postgres; `None` on a private one, which goes as a whole.
    database: Option<String>,
    /// Where our database may be: on somebody's Postgres, from the moment on at which it is asked for.
    made_on: Option<Database>,
}

impl Scratch {
    /// Chooses the names. Makes nothing yet.
    pub(super) fn on(servers: &Servers) -> Self {
        let suffix = Alphanumeric.sample_string(&mut rand::rng(), 10).to_lowercase();
        Self {
            redis_url: servers.redis_url(),
            prefix: format!("deo-demo-{suffix}"),
            redis_is_shared: !servers.redis_is_private(),
            database_url: servers.database_url(),
            database: (!servers.postgres_is_private()).then(|| format!("deo_demo_{suffix}")),
            made_on: None,
        }
    }

    /// Makes the database where it has to be one of our own. Also after an error [`Scratch::remove`] has to be called.
    ///
    /// # Errors
    /// When Postgres cannot be reached, or refuses.
    pub(super) async fn make(&mut self) -> Result<(), Failure> {
        let Some(name) = &self.database else { return Ok(()) };
        let server = database_at(&ProcessEnv, &self.database_url)?;
        let client = server.connect().await?;
        self.database_url = with_database(&self.database_url, name);
        self.made_on = Some(server);
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.map_err(|error| {
            let remedy = match error.code() {
                Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                    "; the role of DATABASE_URL needs CREATEDB, or unset DATABASE_URL for a private Postgres"
                }
                _ => "",
            };
            format!("making the demo's database: {}{remedy}", said(&error))
        })?;
        Ok(())
    }

    pub(super) fn redis_url(&self) -> &str {
        &self.redis_url
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Removes what is not removed with the servers themselves.
    ///
    /// # Errors
    /// When some of it is left, with what that is.
    pub(super) async fn remove(self) -> Result<(), Failure> {
        let keys = match self.redis_is_shared {
            true => self.remove_keys().await.map_err(|error| {
                format!("the keys {}:* are left in REDIS_URL's Redis: {error}", self.prefix)
            }),
            false => Ok(()),
        };
        let database = match (&self.made_on, &self.database) {
            (Some(server), Some(name)) => drop_database(server, name).await.map_err(|error| {
                let place = server.place();
                format!(
                    "the database {name} is left on Postgres at {place}: {error}; run \
                     `DROP DATABASE IF EXISTS {name}` there"
                )
            }),
            _ => Ok(()),
        };
        match (keys, database) {
            (Err(keys), Err(database)) => Err(format!("{keys}; {database}").into()),
            (keys, database) => Ok(keys.and(database)?),
        }
    }

    async fn remove_keys(&self) -> Result<(), Failure> {
        let url = Secret::new(&self.redis_url);
        let authorities = given(&ProcessEnv, "REDIS_CA");
        let options = Options { authorities, ..Options::default() };
        let redis = Redis::with_options(&Endpoint::Tcp { url, allow_plaintext: true }, options)?;
        let mut scan = Scan::new(&redis, format!("{}:*", escaped(&self.prefix)));
        while let Some(keys) = scan.next().await? {
            let keys: Vec<&[u8]> = keys.iter().filter_map(Value::as_bytes).collect();
            if !keys.is_empty() {
                redis.call(Command::new("UNLINK").args(keys).replay_safe()).await?;
            }
        }
        Ok(())
    }
}

async fn drop_database(server: &Database, name: &str) -> Result<(), Failure> {
    let client = server.connect().await?;
    // Postgres 12 has no DROP DATABASE … WITH (FORCE). The plain one waits 5 s for connections to end.
    let asked = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = $1 AND usename = current_user";
    client.query_typed(asked, &[(&name, Type::TEXT)]).await.map_err(|error| said(&error))?;
    let statement = format!("DROP DATABASE IF EXISTS {name}");
    client.batch_execute(&statement).await.map_err(|error| said(&error))?;
    Ok(())
}

/// The URL with another database in it.
fn with_database(url: &str, name: &str) -> String {
    let (before, query) = url.split_once('?').map_or((url, None), |(a, b)| (a, Some(b)));
    let host = before.find("://").map_or(0, |at| at + 3);
    let server = before[host..].find('/').map_or(before, |at| &before[..host + at]);
    match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_database_changes() {
        let changed = |url| with_database(url, "new");
        assert_eq!(
            changed("postgres://u:p@h:1/old?sslmode=require"),
            "postgres://u:p@h:1/new?sslmode=require"
        );
        assert_eq!(changed("postgres://h/old"), "postgres://h/new");
        assert_eq!(changed("postgres://h"), "postgres://h/new");
        assert_eq!(changed("postgres://h?a=/b"), "postgres://h/new?a=/b");
    }
}
