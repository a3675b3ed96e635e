//! `deo permissions`: the least that a function must be allowed.

use std::process::ExitCode;

use shared::config::{Config, ProcessEnv};

use crate::Outcome;
use crate::permissions::{Function, postgres, redis};
use crate::terminal::say;

/// Print a user of Redis and a role of Postgres with no more than a function needs
///
/// The keys are those of REDIS_PREFIX and QUEUES. Connects to nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The function; all of them when left out
    #[arg(long, value_enum)]
    function: Option<Function>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = Config::from_env(&ProcessEnv)?;
    for function in Function::ALL {
        if args.function.is_some_and(|only| only != function) {
            continue;
        }
        let queues = config.drain.queues.iter().map(|queue| queue.name.as_str());
        say(redis::line(function, &config.queue.prefix, queues))?;
        if function == Function::Api && config.queue_operations {
            say(redis::operator_line())?;
        }
        say(postgres::statements(function))?;
    }
    Ok(ExitCode::SUCCESS)
}
