//! `deo config`: what the environment says.

use std::process::ExitCode;

use shared::config::{Config, ProcessEnv, markdown};
use shared::store::Store;
use shared::wake::Wake;

use crate::terminal;
use crate::{Failure, Outcome};

/// Check the settings, and show those in force without their secrets
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print every variable, with its default and meaning, as the table of docs/configuration.md
    #[arg(long)]
    markdown: bool,
    /// Print the settings in force as one JSON object
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    if args.markdown {
        terminal::say(markdown().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::from_env(&ProcessEnv)?;
    check(&config)?;
    let summary = config.summary();
    if args.json {
        let object: serde_json::Map<String, serde_json::Value> =
            summary.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        terminal::say(serde_json::Value::Object(object).to_string())?;
    } else {
        for (name, value) in summary.iter() {
            terminal::say(format!("{name}={value}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The rest of what ends a function at its start: addresses that cannot be used. Connects to nothing.
fn check(config: &Config) -> Result<(), Failure> {
    config.redis_client()?;
    config.database_url.as_ref().map(Store::new).transpose()?;
    Wake::new(&config.wake)?;
    Ok(())
}
