//! `deo with-servers -- COMMAND`: a command in the company of the whole system.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

use command::Signals;
use rustix::process::{Pid, Signal, kill_process};
use shared::config::ProcessEnv;
use tokio::process::{Child, Command};

use super::system::{System, Wanted};
use crate::settings::given;
use crate::{DEVELOPMENT_SECRET, Outcome};

/// Run a command with Redis, Postgres, the REST gateway and the HTTP API around it
///
/// The command finds in its environment: REDIS_URL and UPSTASH_REDIS_REST_URL with its token (and
/// REDIS_TRANSPORT=tcp, unless it is set), DATABASE_URL (migrated, with 20 projects), JWT_SECRET,
/// DEO_API_URL, and DEO, the path of this program. No drain ticks. Exits as the command does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The command and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let [program, arguments @ ..] = args.command.as_slice() else {
        return Err("there is no command".into());
    };
    let mut signals = Signals::new()?;
    let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let wanted = Wanted { listen: free, rest_listen: free, told: false, is_fixed: false };
    let system = tokio::select! {
        system = System::start(wanted) => system?,
        stopped = signals.next() => return Ok(stopped.code()),
    };
    let places = &system.places;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("DEO", std::env::current_exe()?)
        .env("DEO_API_URL", &places.api_url)
        .env("UPSTASH_REDIS_REST_URL", &places.rest_url);
    let unless_given = [
        ("UPSTASH_REDIS_REST_TOKEN", places.rest_token.as_deref()),
        ("REDIS_URL", places.redis_url.as_deref()),
        ("DATABASE_URL", places.database_url.as_deref()),
        ("REDIS_TRANSPORT", Some("tcp")),
        ("JWT_SECRET", Some(DEVELOPMENT_SECRET)),
    ];
    for (name, value) in unless_given {
        if let Some(value) = value.filter(|_| given(&ProcessEnv, name).is_none()) {
            command.env(name, value);
        }
    }
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("starting {program}: {error}"))?;
    let ended = wait(&mut child, &mut signals).await;
    system.stop().await;
    Ok(code(ended?))
}

/// Waits for the command. A signal to us is one to the command, which may take its time to end.
async fn wait(child: &mut Child, signals: &mut Signals) -> std::io::Result<ExitStatus> {
    loop {
        tokio::select! {
            ended = child.wait() => return ended,
            _ = signals.next() => {}
        }
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        // An error means that it has just ended.
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    }
}

/// Its own code; 128 and the signal's number, as a shell has it, when a signal ended it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
