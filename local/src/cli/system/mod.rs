//! The whole system on localhost but the drain: Redis and Postgres, Upstash's REST API in front of the one,
//! rows in the other, and the HTTP API.

mod credentials;
mod data;
mod pair;
mod past;

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use rand::distr::{Alphanumeric, SampleString as _};
use serde::Serialize;
use shared::config::{Config, ProcessEnv};

use crate::gateway::{Gateway, GatewayConfig, GatewayError};
use crate::http_api::{self, HttpApi};
use crate::request_log::logged;
use crate::servers::{Fixed, Servers};
use crate::settings::{Settings, given};
use crate::sign_in::{Account, SignIn};
use crate::terminal::{Step, note};
use crate::token::{issue, issue_admin};
use crate::{DEVELOPMENT_SECRET, Failure};
use credentials::Credentials;

/// The API's port and the gateway's, where they are free and nobody asked for others. 3000 and 3001 are the
/// platform's own: its web application's and its Node API's.
const API_PORT: u16 = 8787;
const GATEWAY_PORT: u16 = 8079;

/// Where private servers are, unless the ports are taken.
const REDIS_PORT: u16 = 16_379;
const POSTGRES_PORT: u16 = 15_432;

/// For how long BullMQ's metrics are kept in a private Redis.
const METRICS_MINUTES: &str = "60";

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
    /// Whether stdout hears of every step, and of the API's requests.
    pub(super) told: bool,
    /// Whether private servers have the same ports and credentials each time.
    pub(super) is_fixed: bool,
}

/// Where everything is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Places {
    pub(super) api_url: String,
    /// A project to try it with, and the token of its owner; none where `JWT_SECRET` is given: signed with somebody's
    /// secret, it may be good elsewhere, too.
    pub(super) project_id: Option<String>,
    pub(super) token: Option<String>,
    /// The console, as its owner sees it: the link signs in once.
    pub(super) console_url: String,
    /// An administrator's, where the database is private and the secret the usual one; and the console as they
    /// see it.
    pub(super) admin_token: Option<String>,
    pub(super) admin_console_url: Option<String>,
    pub(super) rest_url: String,
    /// Unless it is given, as somebody's secret.
    pub(super) rest_token: Option<String>,
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
        pair::check(&ProcessEnv)?;
        let step = Step::begin("starting Redis and Postgres", wanted.told);
        let credentials = wanted.is_fixed.then(Credentials::of_user);
        let servers = match &credentials {
            Some(Credentials { redis_password, postgres_password, .. }) => {
                let (redis_port, postgres_port) = (REDIS_PORT, POSTGRES_PORT);
                let fixed = Fixed { redis_port, redis_password, postgres_port, postgres_password };
                Servers::from_env_or_fixed(&ProcessEnv, fixed).await?
            }
            None => Servers::from_env_or_private(&ProcessEnv).await?,
        };
        step.done(format!("Redis and Postgres: {}", servers.description()))?;
        data::prepare(&servers, wanted.told).await?;
        // Somebody looks at it; for who starts a command beside it, none of the projects has a score.
        let shown = data::shown_project();
        let has_past = wanted.is_fixed && servers.postgres_is_private();
        if has_past {
            past::make(&servers.database_url(), &shown).await?;
        }
        let given_token = given(&ProcessEnv, "UPSTASH_REDIS_REST_TOKEN");
        let own_token = given_token.is_none().then(|| match &credentials {
            Some(credentials) => credentials.rest_token.clone(),
            None => Alphanumeric.sample_string(&mut rand::rng(), 24),
        });
        let rest_token = given_token.or_else(|| own_token.clone()).unwrap_or_default();
        let jwt_secret = credentials.as_ref().map_or(DEVELOPMENT_SECRET, |it| &it.jwt_secret);
        let gateway = gateway(wanted.rest_listen, &servers.redis_url(), &rest_token).await?;
        let settings = Settings::default()
            .with("REDIS_URL", servers.redis_url())
            .with("UPSTASH_REDIS_REST_URL", gateway.url())
            .with("UPSTASH_REDIS_REST_TOKEN", &rest_token)
            .with("DATABASE_URL", servers.database_url())
            .or("JWT_SECRET", jwt_secret)
            .or("CORS_ORIGINS", WEB_APPLICATION);
        // On a Redis of our own they cost nobody anything, and bull-board draws them.
        let settings = match servers.redis_is_private() {
            true => settings.or("QUEUE_METRICS_MINUTES", METRICS_MINUTES),
            false => settings,
        };
        let config = Config::from_env(&settings)?;
        let some = data::some_project(&servers.database_url()).await?;
        let sign_in = config.jwt_secret.clone().map(|secret| SignIn::new(secret, wanted.told));
        let more = sign_in.as_ref().map_or_else(Router::new, SignIn::routes);
        let api = api(&wanted, &config, more).await?;
        // Ours alone, and good nowhere else.
        let secret =
            config.jwt_secret.as_ref().filter(|_| given(&ProcessEnv, "JWT_SECRET").is_none());
        let token = match (&some, secret) {
            (Some(project), Some(secret)) => Some(issue(secret, &project.user_id, TOKEN_S)?),
            _ => None,
        };
        let is_ours = servers.postgres_is_private() && secret.is_some();
        let admin_token = match secret {
            Some(secret) if is_ours => Some(issue_admin(secret, data::ADMIN, TOKEN_S)?),
            _ => None,
        };
        let owner = match &some {
            Some(project) => {
                let owner = data::owner(&servers.database_url(), project).await?;
                Some(Account { project_id: has_past.then_some(shown), ..owner })
            }
            None => None,
        };
        let link = |account| Some(sign_in.as_ref()?.link(&api.url(), account));
        let places = Places {
            console_url: owner.and_then(link).unwrap_or_else(|| format!("{}/console", api.url())),
            admin_console_url: if is_ours { link(data::admin()) } else { None },
            api_url: api.url(),
            project_id: some.map(|project| project.id),
            token,
            admin_token,
            rest_url: gateway.url(),
            rest_token: own_token,
            board_url: None,
            redis_url: servers.redis_is_private().then(|| servers.redis_url()),
            database_url: servers.postgres_is_private().then(|| servers.database_url()),
        };
        let system = Self { config, places, api, gateway, servers };
        system.tell_of_taken_ports(&wanted);
        Ok(system)
    }

    /// Notes which of the usual ports others have.
    fn tell_of_taken_ports(&self, wanted: &Wanted) {
        let of = |url: &str| reqwest::Url::parse(url).ok()?.port();
        let api = if wanted.listen.is_none() { of(&self.places.api_url) } else { None };
        let gateway = if wanted.rest_listen.is_none() { of(&self.places.rest_url) } else { None };
        let (redis, postgres) = match wanted.is_fixed {
            true => (self.servers.redis_port(), self.servers.postgres_port()),
            false => (None, None),
        };
        for (what, usual, port) in [
            ("Redis", REDIS_PORT, redis),
            ("Postgres", POSTGRES_PORT, postgres),
            ("the REST gateway", GATEWAY_PORT, gateway),
            ("the API", API_PORT, api),
        ] {
            note_taken(what, usual, port);
        }
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

async fn api(wanted: &Wanted, config: &Config, more: Router) -> Result<HttpApi, http_api::Error> {
    let routes = http_api::routes(config)?.merge(more);
    let routes = if wanted.told { logged(routes) } else { routes };
    let listen = |address| HttpApi::serve(routes.clone(), address);
    match wanted.listen {
        Some(address) => listen(address).await,
        None => match listen(loopback(API_PORT)).await {
            Err(http_api::Error::Listen { .. }) => listen(loopback(0)).await,
            outcome => outcome,
        },
    }
}

/// Says that `what` is not at its `usual` port.
pub(super) fn note_taken(what: &str, usual: u16, port: Option<u16>) {
    if let Some(port) = port.filter(|&port| port != usual) {
        note(format!("Port {usual} is taken: {what} is at {port} this time."));
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
