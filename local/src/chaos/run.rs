//! Makes one run: producers ask, drains work, faults strike; then all comes to rest, and the invariants are
//! looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::faults::Fault;
use super::journal::{Notes, Tally};
use super::plan::{Plan, Producer};
use super::world::{PREFIX, QUEUE, Setup, World};
use super::{fleet, peers, producers, quiet, receiver};
use crate::Failure;
use crate::servers::PostgresServer;
use crate::verify::{Accepted, Names, Rules, Verdict, verify};

/// How long producers and strikes may take beyond their time, many times what they need; and that for each
/// second of it.
const PATIENCE: Duration = Duration::from_secs(180);
const PATIENCE_A_SECOND: u32 = 30;

/// How a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// What decides everything that is drawn by lot.
    pub seed: u64,
    /// Jobs that our producers ask for.
    pub jobs: usize,
    /// Drains that work all the time.
    pub drains: usize,
}

/// What became of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ran {
    /// The faults that it had.
    pub faults: Vec<&'static str>,
    /// Its seed.
    pub seed: u64,
    /// How many jobs were accepted.
    pub accepted: usize,
    /// How often each fault struck.
    pub strikes: BTreeMap<&'static str, u64>,
    /// Strikes that did not succeed, and why.
    pub missed: Vec<String>,
    /// Calls of producers that were asked again.
    pub asked_again: u64,
    /// What the drains did.
    pub drains: Tally,
    /// Milliseconds from the first call to the verdict.
    pub duration_ms: u64,
    /// What holds.
    pub verdict: Verdict,
    /// The log of accepted jobs and the evidence, as `deo verify` reads them.
    #[serde(skip)]
    pub(super) notes: Notes,
}

impl Ran {
    /// Whether it has shown anything: a fault that it was made for alone has struck.
    pub fn has_struck(&self) -> bool {
        !matches!(self.faults.as_slice(), [only] if self.strikes.get(only) == Some(&0))
    }
}

/// Makes a run on a Redis of its own and a database of its own in `postgres`.
pub(super) async fn run(
    size: Size,
    faults: &[&'static dyn Fault],
    postgres: &Arc<Mutex<PostgresServer>>,
) -> Result<Ran, Failure> {
    let Size { seed, jobs, drains } = size;
    let plan = Plan::new(seed, jobs);
    let mut setup = Setup::default();
    for fault in faults {
        fault.prepare(&mut setup);
    }
    let world = Arc::new(World::start(plan, setup, drains, Arc::clone(postgres)).await?);
    let begun = Instant::now();
    let watching = AbortOnDrop(tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.journal.watch().await }
    }));
    let mut working = JoinSet::new();
    for (number, drain) in world.fleet.drains().iter().enumerate() {
        let (world, drain) = (Arc::clone(&world), Arc::clone(drain));
        let random = plan.random(&format!("drain {number}"));
        working.spawn(async move { fleet::work(&world, &drain, number, random).await });
    }
    let mut busy = JoinSet::new();
    for by in Producer::ALL {
        busy.spawn(producers::work(Arc::clone(&world), by, begun));
    }
    for fault in faults {
        busy.spawn(strike(Arc::clone(&world), *fault, begun));
    }
    let until = plan.span() * PATIENCE_A_SECOND + PATIENCE;
    let over = timeout(until, joined(&mut busy)).await;
    over.map_err(|_| unfinished(&world, until))??;
    world.end();
    timeout(PATIENCE, joined(&mut working)).await.map_err(|_| "drains do not end")??;
    drop(watching);
    quiet::rest(&world).await?;

    let mut notes = std::mem::take(&mut *world.journal.notes());
    let mut accepted = Accepted::default();
    notes.accepted.iter().for_each(|line| accepted.add(line.clone()));
    notes.evidence.extend(world.receiver.taken());
    notes.evidence.extend(receiver::falls(&world.owner().await?).await?);
    let evidence = [notes.evidence.as_slice(), &[notes.bill()]].concat();
    let names = Names { prefix: PREFIX, queue: QUEUE };
    let rules = Rules { all_ended: true, ..Rules::default() };
    let queue = world.queue().await?;
    let database = world.as_owner();
    let mut verdict = verify(queue.redis(), names, database, &accepted, &evidence, &rules).await?;
    let peers = peers::judge(&world, &verdict.readable).await?;
    verdict.hear(&peers);
    notes.evidence.extend(peers);
    Ok(Ran {
        faults: faults.iter().map(|fault| fault.name()).collect(),
        seed,
        accepted: accepted.len(),
        strikes: notes.strikes.clone(),
        missed: notes.missed.clone(),
        asked_again: notes.asked_again,
        drains: notes.tally,
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        verdict,
        notes,
    })
}

/// A task that ends with this.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a run was at that took too long.
fn unfinished(world: &World, after: Duration) -> String {
    let notes = world.journal.notes();
    let missed = |name: &str| notes.missed.iter().filter(|it| it.starts_with(name)).count();
    let planned = |name: &str| world.plan.strikes(name).len();
    let strikes = notes.strikes.iter();
    let open = strikes.filter(|(name, done)| **done as usize + missed(name) < planned(name));
    let open: Vec<&str> = open.map(|(name, _)| *name).collect();
    format!(
        "after {} s not all was done: {} lines of jobs were accepted, and these faults have strikes left: {}",
        after.as_secs(),
        notes.accepted.len(),
        if open.is_empty() { "none".to_owned() } else { open.join(", ") }
    )
}

/// Waits for all of them.
async fn joined(all: &mut JoinSet<Result<(), Failure>>) -> Result<(), Failure> {
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(())
}

/// Lets a fault strike at its times. A strike that does not succeed, as when another fault has taken away what
/// it needs, is noted.
async fn strike(
    world: Arc<World>,
    fault: &'static dyn Fault,
    begun: Instant,
) -> Result<(), Failure> {
    let name = fault.name();
    world.journal.notes().strikes.insert(name, 0);
    for strike in world.plan.strikes(name) {
        sleep_until(begun + strike.at).await;
        match fault.strike(Arc::clone(&world), StdRng::seed_from_u64(strike.seed)).await {
            Ok(()) => *world.journal.notes().strikes.entry(name).or_default() += 1,
            Err(error) => world.journal.notes().missed.push(format!("{name}: {error}")),
        }
    }
    Ok(())
}
