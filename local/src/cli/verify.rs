//! Implements `deo verify`: whether the invariants hold after a run.

use std::path::PathBuf;
use std::process::ExitCode;

use shared::clock::from_iso8601;
use shared::config::{Config, ProcessEnv, SnapshotRetention};

use super::migrate::database;
use crate::queue::connect;
use crate::verify::{Accepted, Evidence, Names, Period, Rules, Verdict, verify};
use crate::{Outcome, terminal};

/// Violations of an invariant that are printed, where not all are asked for.
const SHOWN: usize = 20;

/// Prove that no job was lost or done twice, or name the jobs that were
///
/// Reads the queue of REDIS_PREFIX and the scores of DATABASE_URL once all is quiet (producers stopped, drains
/// and workers done, two recovery passes made) and changes nothing. Exits with 1 when an invariant is broken.
/// docs/reliability.md has the invariants, and the form of both files.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The jobs that were accepted: a JSON object a line, such as {"id":"17","project":"p1"}.
    #[arg(long, value_name = "FILE")]
    accepted: PathBuf,

    /// When invocations ended and what was billed, as `deo chaos --keep` writes it.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,

    /// Leave out jobs and snapshots from before this moment, such as 2026-11-26T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,

    /// Every job must have completed or failed: none may wait.
    #[arg(long)]
    all_ended: bool,

    /// Jobs may be active, as those of a worker that was stopped. Nothing may move meanwhile: states are read one
    /// after the other.
    #[arg(long)]
    running: bool,

    /// Print one JSON object, with every violation.
    #[arg(long)]
    json: bool,
}

fn moment(text: &str) -> Result<i64, String> {
    let ms = from_iso8601(text).ok_or("a moment in UTC, like 2026-11-26T00:00:00Z");
    ms.map_err(str::to_owned)
}

pub(super) async fn run(args: Args) -> Outcome {
    let config = Config::from_env(&ProcessEnv)?;
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let accepted = Accepted::parse(&read(&args.accepted)?)?;
    let evidence = args.evidence.as_ref().map(read).transpose()?;
    let evidence = Evidence::parse(&evidence.unwrap_or_default())?;
    let rules = Rules {
        period: Period { since_ms: args.since },
        all_ended: args.all_ended,
        may_be_active: args.running,
        snapshots_are_pruned: config.drain.snapshots != SnapshotRetention::All,
        ..Rules::default()
    };
    if rules.snapshots_are_pruned {
        let how = "that a snapshot is missing is not looked at: SNAPSHOT_RETENTION is not all";
        terminal::note(how);
    }
    let queue = connect(&config)?;
    let names = Names { prefix: &config.queue.prefix, queue: &config.queue.name };
    let database = database(&ProcessEnv)?;
    let verdict = verify(queue.redis(), names, &database, &accepted, &evidence, &rules).await?;
    if args.json {
        terminal::say(serde_json::to_string(&verdict)?)?;
    } else {
        show(&verdict)?;
    }
    Ok(if verdict.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a verdict for people.
pub(super) fn show(verdict: &Verdict) -> std::io::Result<()> {
    let states = verdict.states.iter().map(|(state, count)| format!("{count} {state}"));
    let states = states.collect::<Vec<_>>().join(", ");
    terminal::say(format!(
        "{} jobs were accepted; the queue has {}; {} snapshots",
        verdict.accepted,
        if states.is_empty() { "none" } else { &states },
        verdict.snapshots
    ))?;
    if verdict.leftovers > 0 {
        terminal::say(match verdict.leftovers {
            1 => "1 job was removed after its end, but for its hash".to_owned(),
            left => format!("{left} jobs were removed after their end, but for their hashes"),
        })?;
    }
    for finding in &verdict.findings {
        let violations = finding.violations.len();
        let told = match (violations, finding.unproved) {
            (0, Some(why)) => format!("not looked at ({why})"),
            (0, None) => format!("holds ({} looked at)", finding.looked_at),
            (count, _) => format!("BROKEN {count} times"),
        };
        terminal::say(format!("{:?}  {told}. {}", finding.invariant, finding.promise))?;
        for violation in finding.violations.iter().take(SHOWN) {
            match &violation.job {
                Some(job) => terminal::say(format!("    job {job} {}", violation.what))?,
                None => terminal::say(format!("    {}", violation.what))?,
            }
        }
        if violations > SHOWN {
            terminal::say(format!("    and {} more: --json has all", violations - SHOWN))?;
        }
    }
    Ok(())
}
