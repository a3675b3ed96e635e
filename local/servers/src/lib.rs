//! Private Redis and Postgres servers for demos and tests.
//!
//! Nothing has to be installed for them but one of several ways (see [`RedisServer::start`] and
//! [`PostgresServer::start`]); nothing is left behind, not even when the process that started them is
//! killed. A server may therefore live in a `static`, shared by all tests of a binary.

mod account;
mod docker;
mod error;
mod pooler;
mod postgres;
mod process;
mod redis;
pub mod settings;
pub mod tools;

pub use error::Error;
pub use pooler::{Pooled, Pooler};
pub use postgres::PostgresServer;
pub use redis::RedisServer;
use shared::config::Env;

use settings::given;

/// A Redis and a Postgres: those that the settings name, else private ones.
#[derive(Debug)]
pub struct Servers {
    redis: Place<RedisServer>,
    postgres: Place<PostgresServer>,
}

#[derive(Debug)]
enum Place<S> {
    Given(String),
    Private(S),
}

impl Servers {
    /// Takes `REDIS_URL` and `DATABASE_URL` where they are set, and starts the rest.
    ///
    /// # Errors
    /// When a server is needed and cannot be started.
    pub async fn from_env_or_private(env: &impl Env) -> Result<Self, Error> {
        let redis = async {
            match given(env, "REDIS_URL") {
                Some(url) => Ok(Place::Given(url)),
                None => RedisServer::start().await.map(Place::Private),
            }
        };
        let postgres = async {
            match given(env, "DATABASE_URL") {
                Some(url) => Ok(Place::Given(url)),
                None => PostgresServer::start().await.map(Place::Private),
            }
        };
        let (redis, postgres) = tokio::try_join!(redis, postgres)?;
        Ok(Self { redis, postgres })
    }

    /// Where Redis is; a given URL may hold a password.
    pub fn redis_url(&self) -> String {
        match &self.redis {
            Place::Given(url) => url.clone(),
            Place::Private(server) => server.url(),
        }
    }

    /// Where Postgres is; the URL holds a password.
    pub fn database_url(&self) -> String {
        match &self.postgres {
            Place::Given(url) => url.clone(),
            Place::Private(server) => server.url(),
        }
    }

    /// What runs, or which variable said where it runs.
    pub fn description(&self) -> String {
        let redis = match &self.redis {
            Place::Given(_) => "REDIS_URL".to_owned(),
            Place::Private(server) => server.description(),
        };
        let postgres = match &self.postgres {
            Place::Given(_) => "DATABASE_URL".to_owned(),
            Place::Private(server) => server.description(),
        };
        format!("{redis} and {postgres}")
    }

    /// Whether Redis was started by us and ends with us.
    pub fn redis_is_private(&self) -> bool {
        matches!(self.redis, Place::Private(_))
    }

    /// Whether Postgres was started by us and ends with us.
    pub fn postgres_is_private(&self) -> bool {
        matches!(self.postgres, Place::Private(_))
    }
}
