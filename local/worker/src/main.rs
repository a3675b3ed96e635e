//! `deo-worker`: `deo worker` alone, for a container. See `deo-worker --help`.

use std::process::ExitCode;

use clap::Parser;

const AFTER_HELP: &str = "\
Exit codes: 0 stopped by SIGTERM, 1 failed (the reason is on stderr), 2 wrong usage, 130 stopped by Ctrl-C,
143 ended at once by a second signal, SIGTERM.

Example:
  REDIS_URL=redis://127.0.0.1:6379 DATABASE_URL=postgres://127.0.0.1/app deo-worker --every 30s

It reads the same environment variables as the drain does: REDIS_URL or UPSTASH_REDIS_REST_URL and
UPSTASH_REDIS_REST_TOKEN, DATABASE_URL and so on. RUST_LOG sets what is logged on stderr (default: warn).";

#[derive(Debug, Parser)]
#[command(name = "deo-worker", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    args: worker::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    command::log(command::stderr_takes_colors(), command::LOGGED);
    command::end("deo-worker", worker::run(cli.args).await)
}
