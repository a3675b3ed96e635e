//! `deo config`: what the environment says.

use std::process::ExitCode;

use shared::checks::{self, Finding};
use shared::config::{Config, ProcessEnv, markdown};

use crate::Outcome;
use crate::terminal;

/// Check the settings, and show those in force without their secrets
///
/// All that is wrong is told at once, each with what to do. Connects to nothing.
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
    let (errors, warnings): (Vec<_>, Vec<_>) =
        checks::settings(&ProcessEnv).into_iter().partition(Finding::is_error);
    for warning in warnings {
        terminal::note(warning.to_string());
    }
    if !errors.is_empty() {
        let sentences: Vec<String> = errors.iter().map(Finding::to_string).collect();
        return Err(sentences.join("\ndeo: ").into());
    }
    let summary = Config::from_env(&ProcessEnv)?.summary();
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
