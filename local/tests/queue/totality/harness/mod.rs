//! States of a queue, obstacles before it, and what is left of its jobs behind them.

mod bench;
mod call;
mod drive;
mod dump;
mod ended;
mod jobs;
mod probe;
mod proxy;
mod resp;
mod scenario;
mod verdict;

pub(crate) use bench::{Bench, workers};
pub(crate) use call::Call;
pub(crate) use dump::Dump;
pub(crate) use jobs::Job;
pub(crate) use probe::{Lift, probe, traced};
pub(crate) use proxy::Obstacle;
pub(crate) use scenario::Scenario;
pub(crate) use verdict::Tally;

use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;

/// The time at which the states were made.
pub(crate) const NOW: i64 = 1_800_000_000_000;

/// Runs a script of the harness's.
async fn script<T: FromRedisValue>(
    text: &str,
    args: &[&str],
    connection: &mut MultiplexedConnection,
) -> T {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(0).arg(args);
    command.query_async(connection).await.unwrap()
}
