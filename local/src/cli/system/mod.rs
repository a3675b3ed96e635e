//! The whole system on localhost but the drain: Redis and Postgres, Upstash's REST API in front of the one,
//! rows in the other, and the HTTP API.

mod data;

use std::net::{Ipv4Addr, SocketAddr};

use rand::distr::{Alphanumeric, SampleString as _};
use serde::Serialize;
use shared::config::{Config, ProcessEnv};

use crate::gateway::{Gateway, GatewayConfig, GatewayError};
use crate::http_api::{self, HttpApi};
use crate::servers::Servers;
use crate::settings::{Settings, given};
use crate::terminal::Step;
use crate::token::issue;
use crate::{DEVELOPMENT_SECRET, Failure};

/// The API's port and the gateway's, where they are free and nobody asked for others.
const API_PORT: u16 = 3000;
const GATEWAY_PORT: u16 = 8079;

/// Where the platform's web application runs on a developer's machine: its pages may ask the API.
const WEB_APPLICATION: &str = "http://localhost:3000";

/// How long the printed token is good for: 12 h in seconds.
const TOKEN_S: u64 = 12 * 3_600;

/// How it is wanted.
pub(super) struct Wanted {
    /// Where the HTTP API listens; else on its usual port or on a free one.
    pub(super) listen: Option<SocketAddr>,
    /// Where the REST gateway listens; else on its usual port or on a free one.
    pub(super) rest_listen: Option<SocketAddr>,
    /// Whether stdout hears of every step.
    pub(super) told: bool,
}

/// Where everything is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Places {
    pub(super) api_url: String,
    /// A project to try it with, and the token of its owner.
    pub(super) project_id: Option<String>,
    pub(super) token: Option<String>,
    pub(super) rest_url: String,
    pub(super) rest_token: String,
    /// bull-board, where it runs.
    pub(super) board_url: Option<String>,
    /// Where they are private: a given URL is somebody's secret.
    pub(super) redis_url: Option<String>,
    pub(super) database_url: Option<String>,
}

/// Everything that runs. Fields are dropped in this order: who asks goes before who answers.
pub(super) struct System {
    pub(super) config: Config,
    pub(super) places: Places,
    api: HttpApi,
    gateway: Gateway,
    servers: Servers,
}

impl System {
    pub(super) async fn start(wanted: Wanted) -> Result<Self, Failure> {
        let step = Step::begin("starting Redis and Postgres", wanted.told);
        let servers = Servers::from_env_or_private(&ProcessEnv).await?;
        step.done(format!("Redis and Postgres: {}", servers.description()))?;
        data::prepare(&servers, wanted.told).await?;
        let rest_token = given(&ProcessEnv, "UPSTASH_REDIS_REST_TOKEN")
            .unwrap_or_else(|| Alphanumeric.sample_string(&mut rand::rng(), 24));
        let gateway = gateway(wanted.rest_listen, &servers.redis_url(), &rest_token).await?;
        let settings = Settings::default()
            .with("REDIS_URL", servers.redis_url())
            .with("UPSTASH_REDIS_REST_URL", gateway.url())
            .with("UPSTASH_REDIS_REST_TOKEN", &rest_token)
            .with("DATABASE_URL", servers.database_url())
            .or("JWT_SECRET", DEVELOPMENT_SECRET)
            .or("CORS_ORIGINS", WEB_APPLICATION);
        let config = Config::from_env(&settings)?;
        let api = api(wanted.listen, &config).await?;
        let some = data::some_project(&servers.database_url()).await?;
        let token = match (&some, &config.jwt_secret) {
            (Some(project), Some(secret)) => Some(issue(secret, &project.user_id, TOKEN_S)?),
            _ => None,
        };
        let places = Places {
            api_url: api.url(),
            project_id: some.map(|project| project.id),
            token,
            rest_url: gateway.url(),
            rest_token,
            board_url: None,
            redis_url: servers.redis_is_private().then(|| servers.redis_url()),
            database_url: servers.postgres_is_private().then(|| servers.database_url()),
        };
        Ok(Self { config, places, api, gateway, servers })
    }

    /// Where Redis is; a given URL may hold a password.
    pub(super) fn redis_url(&self) -> String {
        self.servers.redis_url()
    }

    /// Stops in order; requests under way are answered.
    pub(super) async fn stop(self) {
        drop(self.api);
        self.gateway.shutdown().await;
        drop(self.servers);
    }
}

async fn gateway(
    listen: Option<SocketAddr>,
    redis_url: &str,
    token: &str,
) -> Result<Gateway, GatewayError> {
    let authorities = given(&ProcessEnv, "REDIS_CA");
    let config = |listen| GatewayConfig {
        listen,
        authorities: authorities.clone(),
        ..GatewayConfig::new(redis_url, token)
    };
    match listen {
        Some(address) => Gateway::start(config(address)).await,
        None => match Gateway::start(config(loopback(GATEWAY_PORT))).await {
            Err(GatewayError::Listen { .. }) => Gateway::start(config(loopback(0))).await,
            outcome => outcome,
        },
    }
}

async fn api(listen: Option<SocketAddr>, config: &Config) -> Result<HttpApi, http_api::Error> {
    match listen {
        Some(address) => HttpApi::listen(config, address).await,
        None => match HttpApi::listen(config, loopback(API_PORT)).await {
            Err(http_api::Error::Listen { .. }) => HttpApi::start(config).await,
            outcome => outcome,
        },
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
