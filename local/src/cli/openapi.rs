//! `deo openapi`: the description of the HTTP API, as the code has it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::Outcome;
use crate::terminal::say;

/// Print the OpenAPI description of the HTTP API, generated from its code
///
/// The API serves what is committed of it, functions/api/openapi.json: `just openapi` renews that. Connects to
/// nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write it to this file instead.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let description = api::openapi();
    match args.output {
        Some(file) => tokio::fs::write(&file, description)
            .await
            .map_err(|error| format!("writing {}: {error}", file.display()))?,
        None => say(description.trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}
