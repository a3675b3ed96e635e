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

/// Where private servers are to be, so that people and programs find them at the same place each time. A port
/// that is taken gives way to a free one.
#[derive(Clone, Copy)]
pub struct Fixed<'a> {
    /// Redis' port.
    pub redis_port: u16,
    /// Redis' password: letters and digits.
    pub redis_password: &'a str,
    /// Postgres' port.
    pub postgres_port: u16,
    /// The password of Postgres' superuser: letters and digits.
    pub postgres_password: &'a str,
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
        Self::from_env_or(env, None).await
    }

    /// As [`Servers::from_env_or_private`], with the private ones at `fixed` places.
    ///
    /// # Errors
    /// When a server is needed and cannot be started.
    pub async fn from_env_or_fixed(env: &impl Env, fixed: Fixed<'_>) -> Result<Self, Error> {
        Self::from_env_or(env, Some(fixed)).await
    }

    async fn from_env_or(env: &impl Env, fixed: Option<Fixed<'_>>) -> Result<Self, Error> {
        let redis = async {
            let server = match (given(env, "REDIS_URL"), fixed) {
                (Some(url), _) => return Ok(Place::Given(url)),
                (None, Some(Fixed { redis_port, redis_password, .. })) => {
                    RedisServer::start_at(redis_port, redis_password).await
                }
                (None, None) => RedisServer::start().await,
            };
            server.map(Place::Private)
        };
        let postgres = async {
            let server = match (given(env, "DATABASE_URL"), fixed) {
                (Some(url), _) => return Ok(Place::Given(url)),
                (None, Some(Fixed { postgres_port, postgres_password, .. })) => {
                    PostgresServer::start_at(postgres_port, postgres_password).await
                }
                (None, None) => PostgresServer::start().await,
            };
            server.map(Place::Private)
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

    /// The port of a private Redis.
    pub fn redis_port(&self) -> Option<u16> {
        match &self.redis {
            Place::Given(_) => None,
            Place::Private(server) => Some(server.port()),
        }
    }

    /// The port of a private Postgres.
    pub fn postgres_port(&self) -> Option<u16> {
        match &self.postgres {
            Place::Given(_) => None,
            Place::Private(server) => Some(server.port()),
        }
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
