//! What every command has in common: how it logs, hears of signals, reads a time, writes a line and ends.

mod signals;
mod time;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use shared::logs::may_be_told;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

pub use signals::Signals;
pub use time::time;

/// How a command ends: with an exit code (0: done; 1: done, but not all of it went well), or with an error,
/// which is printed and exits with 1.
pub type Outcome = Result<ExitCode, Failure>;

/// Whatever went wrong, in words for people.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What is logged unless `RUST_LOG` says otherwise. A command itself says why a tick failed.
const LOGGED: &str = "warn,batchmq_engine::ticker=off";

/// Logs to stderr what `RUST_LOG` asks for; warnings and errors without it. Libraries tell these only: see
/// [`shared::logs`].
pub fn log() {
    log_unless_asked(LOGGED);
}

/// As [`log`], with what `filter` says where `RUST_LOG` says nothing: for a command that has much go wrong.
pub fn log_unless_asked(filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    registry().with(filter_fn(may_be_told)).with(filter).with(lines).init();
}

/// Turns the outcome of a command of the program `name` into its exit code, and prints an error to stderr.
pub fn end(name: &str, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if reader_is_gone(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", tame(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

/// Returns a text in which nothing can steer the terminal: an id that a peer chose may stand in an error.
fn tame(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Returns whether the output went into a pipe whose reader has seen enough, as in `deo score | head`.
fn reader_is_gone(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// Writes one line to stdout. Unlike `println!`, a reader that has gone away is an error that ends
/// the command quietly, not a panic.
///
/// # Errors
/// When stdout cannot be written.
pub fn say(line: impl AsRef<str>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", line.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_steers_no_terminal() {
        assert_eq!(tame("no job \u{1b}[2J\u{7}é\n\tx"), "no job \\u{1b}[2J\\u{7}é\n\tx");
    }
}
