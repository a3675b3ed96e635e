//! `deo up`: the whole system on localhost, until Ctrl-C.

mod board;
mod show;
mod ticking;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use command::{Signals, address, time};
use shared::checks;
use shared::config::ProcessEnv;

use super::running::{self, Told};
use super::system::{System, Wanted, note_taken};
use crate::queue::connect;
use crate::terminal::{Step, note, say};
use crate::{Failure, Outcome};
use board::Board;

/// Run the whole system on localhost until Ctrl-C
///
/// Redis, Postgres with some projects, Upstash's REST API, the HTTP API and a drain that ticks; where Node is, also
/// bull-board, which shows the queue. Each is at the same port every time, unless that is taken, with the same
/// credentials, which are this user's own. Commands in other terminals find the system by themselves where their environment names no other.
/// REDIS_URL and DATABASE_URL are taken when they are set, and one of another machine only with the other one; that
/// database is neither migrated nor seeded.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the HTTP API listens; port 0 takes a free one [default: 127.0.0.1:8787, or a free port]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<SocketAddr>,

    /// Where the REST gateway listens [default: 127.0.0.1:8079, or a free port]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    rest_listen: Option<SocketAddr>,

    /// The port of bull-board, on the loopback [default: 8788, or a free port]
    #[arg(long, value_name = "PORT")]
    board_port: Option<u16>,

    /// Go without bull-board.
    #[arg(long)]
    no_board: bool,

    /// How often the drain ticks.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    every: Duration,

    /// Print where everything is as one line of JSON.
    #[arg(long)]
    json: bool,

    /// Start nothing; print the settings of the deo up that runs, for eval "$(deo up --env)"
    #[arg(long, conflicts_with_all = ["listen", "rest_listen", "board_port", "no_board", "json"])]
    env: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    if args.env {
        let running = running::find().ok_or(
            "no deo up runs here whose settings could be printed: start one in another terminal; one that was given \
             REDIS_URL, DATABASE_URL or UPSTASH_REDIS_REST_TOKEN keeps them to itself",
        )?;
        for line in running.exports() {
            say(line)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = Wanted {
        listen: args.listen,
        rest_listen: args.rest_listen,
        told: !args.json,
        is_fixed: true,
    };
    let mut signals = Signals::new()?;
    let started = async {
        let mut system = System::start(wanted).await?;
        let board = if args.no_board { None } else { start_board(&mut system, &args).await };
        Ok::<_, Failure>((system, board))
    };
    let (system, board) = tokio::select! {
        started = started => started?,
        stopped = signals.next() => return Ok(stopped.code()),
    };
    let told = tell_others(&system);
    if args.json {
        say(serde_json::to_string(&system.places)?)?;
    } else {
        show::show(&system.places, &system.config, told.as_ref(), args.every)?;
    }
    for finding in checks::at_start(&ProcessEnv, &connect(&system.config)?).await {
        note(finding.to_string());
    }
    let drain = ticking::start(&system.config, args.every, !args.json)?;
    let stopped = signals.next().await;
    if !args.json {
        // Whoever closed our stdout still wants it to end in order.
        let _ = say("\nStopping ...");
    }
    // A second signal does not wait for the tick under way.
    tokio::select! {
        () = drain.stop() => {}
        _ = signals.next() => {}
    }
    // Before what it leads to.
    drop(told);
    if let Some(board) = board {
        board.stop().await;
    }
    system.stop().await;
    Ok(stopped.code_of_server())
}

/// Lets commands in other terminals find this system. Where that fails, it is as good without.
fn tell_others(system: &System) -> Option<Told> {
    let running = show::running(&system.places, &system.config)?;
    let told = running::tell(&running);
    told.inspect_err(|error| note(format!("Other terminals cannot find this system: {error}.")))
        .ok()
}

/// bull-board; without it the system is as good, and a note says why there is none.
async fn start_board(system: &mut System, args: &Args) -> Option<Board> {
    let step = Step::begin("starting bull-board", !args.json);
    match Board::start(&system.redis_url(), &system.config.queue, args.board_port).await {
        Ok(board) => {
            system.places.board_url = Some(board.url.clone());
            // Whoever closed our stdout hears nothing more either.
            let _ = step.done("bull-board");
            if args.board_port.is_none() {
                note_taken("bull-board", board::PORT, Some(board.port));
            }
            Some(board)
        }
        Err(reason) => {
            drop(step);
            note(format!("No bull-board: {reason}."));
            None
        }
    }
}
