//! `deo rest-gateway`: Upstash's REST API in front of a Redis, until Ctrl-C.

use std::convert::Infallible;
use std::net::SocketAddr;

use command::{Signals, address};
use serde::Serialize;
use shared::config::{ProcessEnv, Secret, written};

use crate::Outcome;
use crate::gateway::{Faults, Gateway, GatewayConfig};
use crate::servers::RedisServer;
use crate::terminal;

/// Put Upstash's REST API in front of a Redis, until Ctrl-C
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The Redis, as redis://:password@host:6379/0 or rediss://... [default: REDIS_URL, else a
    /// private one]
    #[arg(long, value_name = "URL", value_parser = secret)]
    redis: Option<Secret>,

    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8079", value_parser = address)]
    listen: SocketAddr,

    /// The token for everything [default: UPSTASH_REDIS_REST_TOKEN]
    #[arg(long, value_name = "TOKEN", value_parser = secret)]
    token: Option<Secret>,

    /// A second token, for reads only.
    #[arg(long, value_name = "TOKEN", value_parser = secret)]
    read_only_token: Option<Secret>,

    /// What goes wrong on purpose, each with its probability:
    /// latency=20ms:0.3,stall=30s:0.01,429=0.05,502html=0.05,reset-before=0.02,reset-after=0.02,truncate=0.01
    #[arg(long = "fault", value_name = "FAULTS", default_value_t, hide_default_value = true)]
    faults: Faults,

    /// Decides which requests the faults hit: the same seed, the same requests.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Say in X-Billed-Commands how many commands Redis executed for each request. For tests:
    /// requests run one at a time, with two INFO beside each.
    #[arg(long)]
    count_billed: bool,

    /// Print the URL as one line of JSON.
    #[arg(long)]
    json: bool,
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// Where the gateway is.
#[derive(Debug, Serialize)]
struct Place {
    url: String,
}

pub(super) async fn run(args: Args) -> Outcome {
    let given = |name: &str| written(&ProcessEnv, name).map(|value| value.map(Secret::new));
    let redis = args.redis.map_or_else(|| given("REDIS_URL"), |url| Ok(Some(url)))?;
    let token =
        args.token.map_or_else(|| given("UPSTASH_REDIS_REST_TOKEN"), |token| Ok(Some(token)))?;
    let token = token.ok_or("no token: give --token or set UPSTASH_REDIS_REST_TOKEN")?;
    let mut signals = Signals::new()?;
    let (redis, _private) = match redis {
        Some(url) => (url, None),
        None => {
            let server = RedisServer::start().await?;
            (Secret::new(server.url()), Some(server))
        }
    };
    let gateway = Gateway::start(GatewayConfig {
        read_only_token: args.read_only_token,
        listen: args.listen,
        faults: args.faults,
        seed: args.seed,
        count_billed: args.count_billed,
        authorities: written(&ProcessEnv, "REDIS_CA")?,
        ..GatewayConfig::new(redis.expose(), token.expose())
    })
    .await?;
    let place = Place { url: gateway.url() };
    if args.json {
        terminal::say(serde_json::to_string(&place)?)?;
    } else {
        terminal::say(format!("UPSTASH_REDIS_REST_URL={}", place.url))?;
    }
    let stopped = signals.next().await;
    gateway.shutdown().await;
    Ok(stopped.code_of_server())
}
