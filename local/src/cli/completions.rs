//! `deo completions`: what a shell needs to complete commands and options.

use std::process::ExitCode;

use clap_complete::{Shell, generate};

use super::parser;
use crate::{Outcome, terminal};

/// Print a script by which a shell completes commands and options
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut script = Vec::new();
    generate(args.shell, &mut parser(), "deo", &mut script);
    terminal::say(String::from_utf8(script)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
