//! What every command has in common: how it logs, hears of signals, reads a time, writes a line and ends.

mod address;
mod signals;
mod time;
mod waiting;

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use shared::logs::may_be_told;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt, registry};

pub use address::address;
pub use signals::{Signals, Stopped};
pub use time::time;
pub use waiting::screen_is_taken;
use waiting::{Waiting, is_repetition};

/// How a command ends: with an exit code (0: done; 1: done, but not all of it went well), or with an error,
/// which is printed and exits with 1.
pub type Outcome = Result<ExitCode, Failure>;

/// Whatever went wrong, in words for people.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What is logged unless `RUST_LOG` says otherwise. A command itself says why a tick failed, and that it waits
/// for Redis.
pub const LOGGED: &str = "warn,batchmq_engine::ticker=off,batchmq_redis::delivery=error";

/// Logs to stderr what `RUST_LOG` asks for, and without it what `otherwise` does, such as [`LOGGED`]. Libraries
/// tell warnings and errors only: see [`shared::logs`]. `colors` says whether in colours.
pub fn log(colors: bool, otherwise: &str) {
    let waiting = Waiting::default().with_filter(filter_fn(is_repetition));
    let asked = EnvFilter::try_from_default_env().ok();
    let waiting = asked.is_none().then_some(waiting);
    let filter = asked.unwrap_or_else(|| EnvFilter::new(otherwise));
    registry().with(filter_fn(may_be_told)).with(lines(colors, filter)).with(waiting).init();
}

/// As [`log`], with nothing where `RUST_LOG` says nothing: for a command in which much is meant to go wrong.
pub fn log_if_asked(colors: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    registry().with(filter_fn(may_be_told)).with(lines(colors, filter)).init();
}

/// The log's lines, in colours if `colors`.
fn lines<S>(colors: bool, filter: EnvFilter) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // A stderr that is closed is no reason to panic.
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(colors).log_internal_errors(false);
    lines.with_filter(filter)
}

/// Whether stderr takes colours where nobody decides: it is a terminal, and `NO_COLOR` is not set.
pub fn stderr_takes_colors() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

/// Turns the outcome of a command of the program `name` into its exit code, and prints an error to stderr.
pub fn end(name: &str, outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if reader_is_gone(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format!("{name}: {}", tame(&error.to_string())));
            error.downcast_ref::<Stopped>().map_or(ExitCode::FAILURE, |stopped| stopped.code())
        }
    }
}

/// Writes one line to stderr. Unlike `eprintln!`, a reader that has gone away is no panic: nobody is left to
/// hear of it.
pub fn complain(line: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", line.as_ref());
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
