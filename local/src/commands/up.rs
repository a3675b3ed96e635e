//! `deo up`: the whole system on localhost, until Ctrl-C.

use std::process::ExitCode;

use shared::config::ProcessEnv;
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use crate::servers::Servers;
use crate::terminal;

/// Run Redis and Postgres on localhost until Ctrl-C
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(_args: Args) -> Outcome {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let servers = tokio::select! {
        servers = Servers::from_env_or_private(&ProcessEnv) => servers?,
        _ = interrupt.recv() => return Ok(ExitCode::FAILURE),
        _ = terminate.recv() => return Ok(ExitCode::FAILURE),
    };
    terminal::say(format!("REDIS_URL={}", servers.redis_url()))?;
    terminal::say(format!("DATABASE_URL={}", servers.database_url()))?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}
