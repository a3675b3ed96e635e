//! A database and a key prefix of the demo's own, on servers that may be somebody's.

use rand::distr::{Alphanumeric, SampleString as _};
use shared::config::{Endpoint, ProcessEnv, Secret};
use shared::redis::{Command, Options, Redis, Value};
use shared::store::Database;

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
    /// Somebody's Postgres, and the name of our database on it.
    shared_postgres: Option<(Database, String)>,
}

impl Scratch {
    pub(super) async fn on(servers: &Servers) -> Result<Self, Failure> {
        let suffix = Alphanumeric.sample_string(&mut rand::rng(), 10).to_lowercase();
        let mut scratch = Self {
            redis_url: servers.redis_url(),
            prefix: format!("deo-demo-{suffix}"),
            redis_is_shared: !servers.redis_is_private(),
            database_url: servers.database_url(),
            shared_postgres: None,
        };
        if !servers.postgres_is_private() {
            let name = format!("deo_demo_{suffix}");
            let server = database_at(&ProcessEnv, &servers.database_url())?;
            let client = server.connect().await?;
            client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
            scratch.database_url = with_database(&servers.database_url(), &name);
            scratch.shared_postgres = Some((server, name));
        }
        Ok(scratch)
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
    pub(super) async fn remove(self) -> Result<(), Failure> {
        if self.redis_is_shared {
            self.remove_keys().await?;
        }
        if let Some((server, name)) = &self.shared_postgres {
            let client = server.connect().await?;
            client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        Ok(())
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
