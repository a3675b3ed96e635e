//! `deo up`: the whole system on localhost, until Ctrl-C.

mod board;
mod ticking;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use command::{Signals, time};
use console::style;
use shared::checks;
use shared::config::{Env as _, ProcessEnv};

use super::system::{Places, System, Wanted};
use crate::queue::connect;
use crate::terminal::{Step, heading, note, say};
use crate::{DEVELOPMENT_SECRET, Failure, Outcome};
use board::Board;

/// Run the whole system on localhost until Ctrl-C
///
/// Redis, Postgres with some projects, Upstash's REST API, the HTTP API and a drain that ticks; where Node is, also
/// bull-board, which shows the queue. REDIS_URL and DATABASE_URL are taken when they are set; that database is
/// neither migrated nor seeded.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the HTTP API listens; port 0 takes a free one [default: 127.0.0.1:3000, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Where the REST gateway listens [default: 127.0.0.1:8079, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    rest_listen: Option<SocketAddr>,

    /// The port of bull-board, on the loopback [default: 3001, or a free port]
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
}

pub(super) async fn run(args: Args) -> Outcome {
    let wanted = Wanted { listen: args.listen, rest_listen: args.rest_listen, told: !args.json };
    let mut signals = Signals::new()?;
    let started = async {
        let mut system = System::start(wanted).await?;
        let board = if args.no_board { None } else { start_board(&mut system, &args).await };
        Ok::<_, Failure>((system, board))
    };
    let (system, board) = tokio::select! {
        started = started => started?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    if args.json {
        say(serde_json::to_string(&system.places)?)?;
    } else {
        show(&system.places, args.every)?;
    }
    for finding in checks::at_start(&ProcessEnv, &connect(&system.config)?).await {
        note(finding.to_string());
    }
    let drain = ticking::start(&system.config, args.every, !args.json)?;
    signals.next().await;
    if !args.json {
        say("\nStopping ...")?;
    }
    // A second signal does not wait for the tick under way.
    tokio::select! {
        () = drain.stop() => {}
        () = signals.next() => {}
    }
    if let Some(board) = board {
        board.stop().await;
    }
    system.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// bull-board; without it the system is as good, and a note says why there is none.
async fn start_board(system: &mut System, args: &Args) -> Option<Board> {
    let step = Step::begin("starting bull-board", !args.json);
    match Board::start(&system.redis_url(), &system.config.queue, args.board_port).await {
        Ok(board) => {
            system.places.board_url = Some(board.url.clone());
            // Whoever closed our stdout hears nothing more either.
            let _ = step.done("bull-board");
            Some(board)
        }
        Err(reason) => {
            drop(step);
            note(format!("No bull-board: {reason}."));
            None
        }
    }
}

fn show(places: &Places, every: Duration) -> std::io::Result<()> {
    heading("Settings for other terminals")?;
    let secret = ProcessEnv.get("JWT_SECRET").is_none().then_some(DEVELOPMENT_SECRET);
    for (name, value) in [
        ("REDIS_URL", places.redis_url.as_deref()),
        ("UPSTASH_REDIS_REST_URL", Some(&places.rest_url)),
        ("UPSTASH_REDIS_REST_TOKEN", Some(&places.rest_token)),
        ("DATABASE_URL", places.database_url.as_deref()),
        ("JWT_SECRET", secret),
    ] {
        if let Some(value) = value {
            say(format!("export {name}='{value}'"))?;
        }
    }
    heading("Look at it")?;
    if let Some(board) = &places.board_url {
        say(format!("the queue, in bull-board: {board}"))?;
    }
    let docs = format!("{}/docs/", places.api_url);
    match (&places.project_id, &places.token) {
        // Behind the #, they stay in the browser.
        (Some(project), Some(token)) => {
            say(format!("the API, to try: {docs}#project={project}&token={token}"))?;
        }
        _ => say(format!("the API, to try: {docs}"))?,
    }
    heading("Try it")?;
    say(format!("curl {}/health", places.api_url))?;
    if let (Some(project), Some(token)) = (&places.project_id, &places.token) {
        let path = format!("{}/projects/{project}/deo-score", places.api_url);
        say(format!("TOKEN={token}"))?;
        say(format!("curl -X POST -H \"Authorization: Bearer $TOKEN\" {path}/recompute"))?;
        say(format!("curl -H \"Authorization: Bearer $TOKEN\" {path}"))?;
    } else {
        say("deo token --user ID      # there is no project yet to try it with")?;
    }
    let note = format!("The drain ticks every {} s. Ctrl-C stops everything.", every.as_secs());
    say(format!("\n{}", style(note).dim()))?;
    Ok(())
}
