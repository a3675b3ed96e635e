//! `deo up`: the whole system on localhost, until Ctrl-C.

mod data;
mod ticking;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use api::{Claims, sign};
use console::style;
use rand::distr::{Alphanumeric, SampleString as _};
use serde::Serialize;
use shared::clock::Clock;
use shared::config::{Config, Env as _, ProcessEnv};

use super::Outcome;
use super::signals::Signals;
use super::token::time;
use crate::DEVELOPMENT_SECRET;
use crate::gateway::{Gateway, GatewayConfig, GatewayError};
use crate::http_api::{self, HttpApi};
use crate::servers::Servers;
use crate::settings::{Settings, given};
use crate::terminal::{Step, heading, say};

/// The API's port and the gateway's, where they are free and nobody asked for others.
const API_PORT: u16 = 3000;
const GATEWAY_PORT: u16 = 8079;

/// How long the printed token is good for: 12 h in seconds.
const TOKEN_S: i64 = 12 * 3_600;

/// Run the whole system on localhost until Ctrl-C
///
/// Redis, Postgres with some projects, Upstash's REST API, the HTTP API and a drain that ticks. REDIS_URL and
/// DATABASE_URL are taken when they are set; that database is neither migrated nor seeded.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the HTTP API listens; port 0 takes a free one [default: 127.0.0.1:3000, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Where the REST gateway listens [default: 127.0.0.1:8079, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    rest_listen: Option<SocketAddr>,

    /// How often the drain ticks.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    every: Duration,

    /// Print where everything is as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Where everything is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Places {
    api_url: String,
    /// A project to try it with, and the token of its owner.
    project_id: Option<String>,
    token: Option<String>,
    rest_url: String,
    rest_token: String,
    /// Where they are private: a given URL is somebody's secret.
    redis_url: Option<String>,
    database_url: Option<String>,
}

type Failure = Box<dyn Error + Send + Sync>;

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let system = tokio::select! {
        system = System::start(&args) => system?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    system.places.show(args.json, args.every)?;
    let drain = ticking::start(&system.config, args.every, !args.json)?;
    signals.next().await;
    if !args.json {
        say("\nStopping ...")?;
    }
    // A second signal does not wait for the tick under way.
    tokio::select! {
        () = drain.stop() => {}
        () = signals.next() => {}
    }
    system.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Everything that runs. Fields are dropped in this order: who asks goes before who answers.
struct System {
    config: Config,
    places: Places,
    api: HttpApi,
    gateway: Gateway,
    servers: Servers,
}

impl System {
    async fn start(args: &Args) -> Result<Self, Failure> {
        let step = Step::begin("starting Redis and Postgres", !args.json);
        let servers = Servers::from_env_or_private(&ProcessEnv).await?;
        step.done(format!("Redis and Postgres: {}", servers.description()))?;
        data::prepare(&servers, !args.json).await?;
        let rest_token = given(&ProcessEnv, "UPSTASH_REDIS_REST_TOKEN")
            .unwrap_or_else(|| Alphanumeric.sample_string(&mut rand::rng(), 24));
        let gateway = gateway(args.rest_listen, &servers.redis_url(), &rest_token).await?;
        let settings = Settings::default()
            .with("REDIS_URL", servers.redis_url())
            .with("UPSTASH_REDIS_REST_URL", gateway.url())
            .with("UPSTASH_REDIS_REST_TOKEN", &rest_token)
            .with("DATABASE_URL", servers.database_url())
            .or("JWT_SECRET", DEVELOPMENT_SECRET);
        let config = Config::from_env(&settings)?;
        let api = api(args.listen, &config).await?;
        let some = data::some_project(&servers.database_url()).await?;
        let token = match (&some, &config.jwt_secret) {
            (Some(project), Some(secret)) => {
                let iat = Clock::System.now_ms() / 1_000;
                let claims = Claims {
                    sub: project.user_id.clone(),
                    email: format!("{}@example.com", project.user_id),
                    role: "USER".to_owned(),
                    iat,
                    exp: iat + TOKEN_S,
                };
                Some(sign(secret, &claims)?)
            }
            _ => None,
        };
        let places = Places {
            api_url: api.url(),
            project_id: some.map(|project| project.id),
            token,
            rest_url: gateway.url(),
            rest_token,
            redis_url: servers.redis_is_private().then(|| servers.redis_url()),
            database_url: servers.postgres_is_private().then(|| servers.database_url()),
        };
        Ok(Self { config, places, api, gateway, servers })
    }

    async fn stop(self) {
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
    let config = |listen| GatewayConfig { listen, ..GatewayConfig::new(redis_url, token) };
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

impl Places {
    fn show(&self, json: bool, every: Duration) -> Result<(), Failure> {
        if json {
            say(serde_json::to_string(self)?)?;
            return Ok(());
        }
        heading("Settings for other terminals")?;
        let secret = ProcessEnv.get("JWT_SECRET").is_none().then_some(DEVELOPMENT_SECRET);
        for (name, value) in [
            ("REDIS_URL", self.redis_url.as_deref()),
            ("UPSTASH_REDIS_REST_URL", Some(&self.rest_url)),
            ("UPSTASH_REDIS_REST_TOKEN", Some(&self.rest_token)),
            ("DATABASE_URL", self.database_url.as_deref()),
            ("JWT_SECRET", secret),
        ] {
            if let Some(value) = value {
                say(format!("export {name}='{value}'"))?;
            }
        }
        heading("Try it")?;
        say(format!("curl {}/health", self.api_url))?;
        if let (Some(project), Some(token)) = (&self.project_id, &self.token) {
            let path = format!("{}/projects/{project}/deo-score", self.api_url);
            say(format!("TOKEN={token}"))?;
            say(format!("curl -X POST -H \"Authorization: Bearer $TOKEN\" {path}/recompute"))?;
            say(format!("curl -H \"Authorization: Bearer $TOKEN\" {path}"))?;
        } else {
            say("deo token --user ID      # there is no project yet to try it with")?;
        }
        let note = format!("The drain ticks every {} s. Ctrl-C stops everything.", every.as_secs());
        say(format!("\n{}", style(note).dim()))?;
        Ok(())
    }
}
