//! `deo man`: manual pages, made of the same words as `--help`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap_mangen::{Man, generate_to};

use super::parser;
use crate::{Outcome, terminal};

/// Print the manual page of deo, or write those of all its commands
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write a page a command into this folder: deo.1, deo-up.1, deo-queue-stats.1 and so on.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let Some(folder) = args.folder else {
        let mut page = Vec::new();
        Man::new(parser()).render(&mut page)?;
        terminal::say(String::from_utf8(page)?.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(&folder)
        .and_then(|()| generate_to(parser(), &folder))
        .map_err(|error| format!("writing into {}: {error}", folder.display()))?;
    terminal::say(format!("written to {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
