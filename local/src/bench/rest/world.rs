//! A Redis, a gateway in a process of its own, and a client for each way.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde::Deserialize;
use shared::config::{Endpoint, Secret};
use shared::redis::Redis;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::figures::Sample;
use super::ours::Ours;
use super::sdk::Sdk;
use super::shape::Material;
use super::{Load, Way};
use crate::Failure;
use crate::servers::RedisServer;

/// The gateway's token; it listens on the loopback and lives as long as this command.
const TOKEN: &str = "measured";

pub(super) struct World {
    tcp: Redis,
    rest: Redis,
    ours: Ours,
    sdk: Sdk,
    gateway: Child,
    _server: RedisServer,
}

#[derive(Deserialize)]
struct Place {
    url: String,
}

impl World {
    pub(super) async fn start(sdk: &Path) -> Result<Self, Failure> {
        let server = RedisServer::start().await?;
        let (gateway, url) = gateway(&server.url()).await?;
        let material = Arc::new(Material::new());
        let sdk = Sdk::start(sdk, &url, TOKEN, &material).await?;
        let (tcp, token) = (Secret::new(server.url()), Secret::new(TOKEN));
        let tcp = Redis::new(&Endpoint::Tcp { url: tcp, allow_plaintext: false })?;
        let rest = Redis::new(&Endpoint::Rest { url, token, allow_plaintext: false })?;
        let ours = Ours::new(material)?;
        ours.prepare(&tcp).await?;
        Ok(Self { tcp, rest, ours, sdk, gateway, _server: server })
    }

    pub(super) async fn run(&mut self, way: Way, load: Load) -> Result<Sample, Failure> {
        match way {
            Way::Tcp => self.ours.run(&self.tcp, load).await,
            Way::Rest => self.ours.run(&self.rest, load).await,
            Way::Sdk => self.sdk.run(load, false).await,
            Way::SdkAuto => self.sdk.run(load, true).await,
        }
    }

    pub(super) async fn stop(mut self) {
        // It may have ended by itself.
        let _ = self.gateway.kill().await;
    }
}

/// `deo rest-gateway`, so that what it does is not counted as ours.
async fn gateway(redis: &str) -> Result<(Child, String), Failure> {
    let mut gateway = Command::new(std::env::current_exe()?)
        .args(["rest-gateway", "--json", "--listen", "127.0.0.1:0", "--redis", redis])
        .env("UPSTASH_REDIS_REST_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("starting the gateway: {error}"))?;
    let stdout = gateway.stdout.take().ok_or("the gateway has no stdout")?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    let place: Place = serde_json::from_str(&line.ok_or("the gateway did not start")?)?;
    Ok((gateway, place.url))
}
