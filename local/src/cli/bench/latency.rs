//! `deo bench latency`: from a request to its committed snapshot.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use command::Signals;

use super::RIVALS;
use crate::Outcome;
use crate::bench::latency::{Request, measure};
use crate::terminal::{heading, say};

/// Measure the time from a POST to its committed snapshot, beside a BullMQ worker
///
/// Requests go one after the other to a warm API, which wakes the drain (DRAIN_WAKE_URL): a cold one each
/// time, which opens every connection, and then a warm one. BullMQ does the same from `add`, with a worker
/// that is always on and its six statements by pg. The clock stops when Postgres says that the snapshot
/// and the project's score are committed.
///
/// Relays in front of Redis, Postgres and the drain's URL note when each round trip began and ended, TCP's and
/// Postgres' handshakes among them. What is shown is the longest chain of which each began when the one
/// before had ended; the halves on the way to the drain and to the commit count as whole. With --tls both
/// servers are reached as a provider's are: TLS at once, and a password that is proved (SCRAM); the drain's URL is
/// not, to which TLS adds one. A function's own start is `deo bench cold-start`.
///
/// Exits with 1 when ours takes more than 12. Times of a debug build say nothing:
/// cargo run --release -p local -- bench latency.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Requests of each kind that count.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,

    /// Milliseconds to Redis, to Postgres, to the drain's URL, and back.
    #[arg(long, value_name = "MS", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=1_000))]
    round_trip: u64,

    /// Reach Redis and Postgres over TLS; leaves BullMQ out. Needs openssl.
    #[arg(long)]
    tls: bool,

    /// Leave BullMQ out.
    #[arg(long)]
    ours: bool,

    /// The folder with BullMQ.
    #[arg(long, value_name = "FOLDER", default_value = RIVALS)]
    rivals: PathBuf,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let request = Request {
        runs: args.runs,
        round_trip: Duration::from_millis(args.round_trip),
        tls: args.tls,
        rivals: (!args.ours && !args.tls).then_some(args.rivals),
    };
    let report = tokio::select! {
        report = measure(&request, !args.json) => report?,
        stopped = signals.next() => return Err(stopped.into()),
    };
    if args.json {
        say(serde_json::to_string(&report)?)?;
    } else {
        heading(&report.title())?;
        say(report.table().to_string())?;
        say(format!("\n{}", report.verdict()))?;
        if let Some(reason) = &report.left_out {
            say(format!("\nLeft out: {reason}."))?;
        }
    }
    Ok(if report.kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
