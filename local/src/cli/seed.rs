//! `deo seed`: realistic rows, no snapshots.

use std::process::ExitCode;

use serde_json::json;
use shared::clock::Clock;
use shared::config::ProcessEnv;

use super::migrate::database;
use crate::Outcome;
use crate::seed::{self, Plan};
use crate::terminal;

/// Fill the database of DATABASE_URL with realistic projects, pages and products
///
/// The same seed makes the same rows (dates are counted back from today) and adds nothing the second
/// time.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many projects
    #[arg(long, default_value_t = 50)]
    projects: u32,
    /// How many pages a project
    #[arg(long, default_value_t = 20)]
    pages: u32,
    /// How many products a project
    #[arg(long, default_value_t = 20)]
    products: u32,
    /// Another seed makes other rows beside those of the first
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let database = database(&ProcessEnv)?;
    let Args { projects, pages, products, seed, .. } = args;
    let plan = Plan { projects, pages, products, seed, now_ms: Clock::System.now_ms() };
    let bar = terminal::progress(u64::from(projects), "seeding projects");
    let seeded = seed::seed(&database, &plan, |done| bar.set_position(u64::from(done))).await;
    bar.finish_and_clear();
    let seeded = seeded?;
    if args.json {
        terminal::say(json!(seeded).to_string())?;
    } else {
        terminal::say(format!(
            "new: {} projects, {} pages, {} products; their owner is the user {}",
            seeded.projects, seeded.pages, seeded.products, seeded.user_id
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
