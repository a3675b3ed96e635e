//! `deo up`: the whole system on localhost, until Ctrl-C.

use std::process::ExitCode;

use serde::Serialize;
use shared::config::ProcessEnv;

use super::Outcome;
use super::signals::Signals;
use crate::servers::Servers;
use crate::terminal;

/// Run Redis and Postgres on localhost until Ctrl-C
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print where everything is as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Where everything is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Places {
    redis_url: String,
    database_url: String,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    tokio::select! {
        outcome = serve(&args) => outcome,
        () = signals.next() => Ok(ExitCode::SUCCESS),
    }
}

/// Serves until it is dropped.
async fn serve(args: &Args) -> Outcome {
    let servers = Servers::from_env_or_private(&ProcessEnv).await?;
    let places = Places { redis_url: servers.redis_url(), database_url: servers.database_url() };
    if args.json {
        terminal::say(serde_json::to_string(&places)?)?;
    } else {
        terminal::say(format!("REDIS_URL={}", places.redis_url))?;
        terminal::say(format!("DATABASE_URL={}", places.database_url))?;
    }
    std::future::pending().await
}
