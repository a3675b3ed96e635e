//! Implements `deo chaos`: the whole system while everything goes wrong.

use std::path::PathBuf;
use std::process::ExitCode;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Mutex;

use crate::chaos::{Fault, Machine, Ran, Size, all, is_not_judged, keep, named, table};
use crate::{Failure, Outcome, terminal};

/// Let everything go wrong, and prove that no job is lost or done twice
///
/// Starts a private Redis and Postgres, drains as Lambda runs them, producers and, where they are installed, BullMQ's
/// own workers; lets the faults strike, then all come to rest, and looks at the invariants as `deo verify` does.
/// Prints a row of a table for each run. The seed decides which jobs are asked for and when each fault strikes:
/// the same seed repeats a run as far as real processes allow. Exits with 1 when an invariant is broken.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Decides everything that is drawn by lot; another one for each call by default.
    #[arg(long)]
    seed: Option<u64>,

    /// How many jobs are asked for; the table has fewer, since several of a project may stand as one.
    #[arg(long, default_value_t = 500)]
    jobs: usize,

    /// How many drains work all the time, every other one over REST.
    #[arg(long, default_value_t = 3)]
    drains: usize,

    /// Which faults strike, at once: names with commas between them, or `all`.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    faults: Vec<String>,

    /// First a run for each of the faults alone, then the one with all of them at once.
    #[arg(long)]
    each: bool,

    /// So many runs at a time, where there are several: most of their time passes in waiting.
    #[arg(long, value_name = "RUNS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    at_a_time: u8,

    /// Where a run fails, look for the fewest of its faults with which it still does.
    #[arg(long)]
    shrink: bool,

    /// Write what the last run has noted into this folder, for `deo verify`.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,

    /// List the faults, and run none.
    #[arg(long)]
    list: bool,

    /// Print each run as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    if args.list {
        return list();
    }
    let faults = chosen(&args.faults)?;
    let seed = args.seed.unwrap_or_else(rand::random);
    let size = Size { seed, jobs: args.jobs, drains: args.drains };
    terminal::note(format!("seed {seed}: --seed {seed} repeats it"));
    if let Some(why) = is_not_judged() {
        terminal::note(format!("skipped: BullMQ's own look at what is left: {why}"));
    }
    let mut sets: Vec<Vec<&'static dyn Fault>> = vec![faults.clone()];
    if args.each && faults.len() > 1 {
        sets.splice(0..0, faults.iter().map(|fault| vec![*fault]));
    }
    let at_a_time = usize::from(args.at_a_time).min(sets.len());
    let machines = try_join_all((0..at_a_time).map(|_| Machine::start())).await?;
    if !args.json {
        terminal::say(table::HEADING)?;
    }
    let free = Mutex::new(machines);
    let ran = sets.into_iter().map(async |set| {
        // There are as many as runs at a time.
        let machine = free.lock().await.pop().ok_or("no machine is free")?;
        let ran = machine.run(size, &set).await;
        free.lock().await.push(machine);
        let ran = ran.map_err(|error| format!("with {}: {error}", names(&set)))?;
        Ok::<_, Failure>((set, ran))
    });
    let mut all = stream::iter(ran).buffered(at_a_time);
    let mut broken = Vec::new();
    let spinner = terminal::spinner("everything goes wrong");
    while let Some(ended) = all.next().await {
        let (set, ran) = ended?;
        spinner.suspend(|| show(&ran, args.json))?;
        if let Some(folder) = &args.keep {
            keep(&ran, folder)?;
        }
        if !ran.verdict.holds || !ran.has_struck() {
            broken.push(set);
        }
    }
    spinner.finish_and_clear();
    drop(all);
    let machine = free.into_inner().pop().ok_or("no machine is free")?;
    if args.shrink {
        for set in &broken {
            terminal::note(format!("looking for the fewest of {} that fail", names(set)));
            let fewest = machine.shrink(size, set, |ran| terminal::note(table::row(ran))).await?;
            terminal::say(format!("fewest: {}", again(&args, seed, &fewest)))?;
        }
    }
    for set in &broken {
        terminal::note(format!("again: {}", again(&args, seed, set)));
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list() -> Outcome {
    terminal::say("| Fault | What goes wrong |\n| --- | --- |")?;
    for fault in all() {
        terminal::say(format!("| `{}` | {} |", fault.name(), fault.sentence()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The faults of these names. Of `all` those that cannot strike here are left out, which is told; one that
/// was asked for by name must be there.
fn chosen(names: &[String]) -> Result<Vec<&'static dyn Fault>, Failure> {
    if names == ["none"] {
        return Ok(Vec::new());
    }
    if names == ["all"] {
        let mut faults = all();
        faults.retain(|fault| match fault.is_missing() {
            Some(why) => {
                terminal::note(format!("skipped: {}: {why}", fault.name()));
                false
            }
            None => true,
        });
        return Ok(faults);
    }
    let fault = |name: &String| {
        let fault = named(name)?;
        match fault.is_missing() {
            Some(why) => Err(format!("{name}: {why}").into()),
            None => Ok(fault),
        }
    };
    names.iter().map(fault).collect()
}

fn names(faults: &[&'static dyn Fault]) -> String {
    match faults {
        [] => "none".to_owned(),
        _ => faults.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(","),
    }
}

fn again(args: &Args, seed: u64, faults: &[&'static dyn Fault]) -> String {
    let (jobs, drains) = (args.jobs, args.drains);
    format!("deo chaos --seed {seed} --jobs {jobs} --drains {drains} --faults {}", names(faults))
}

fn show(ran: &Ran, as_json: bool) -> Result<(), Failure> {
    if as_json {
        terminal::say(serde_json::to_string(ran)?)?;
        return Ok(());
    }
    terminal::say(table::row(ran))?;
    if let Some(first) = ran.missed.first() {
        let missed = ran.missed.len();
        terminal::note(format!("{missed} strikes met another fault, as one of {first}"));
    }
    if !ran.has_struck() {
        terminal::note(format!("it proves nothing: {} did not strike", ran.faults.join(",")));
    }
    if !ran.verdict.holds {
        super::verify::show(&ran.verdict)?;
    }
    Ok(())
}
