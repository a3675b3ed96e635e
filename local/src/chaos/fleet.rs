//! Runs drains as Lambda does: the function's own program, one event after the other, each with a deadline at
//! which it is killed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use shared::clock::Clock;
use shared::engine::Report;
use tokio::time::{Instant, sleep};

use super::clocks;
use super::world::World;
use crate::Failure;
use crate::runtime_api::{Attempt, Function};
use crate::verify::Evidence;

/// What a schedule sends.
const SCHEDULE: &str = include_str!("../../events/schedule.json");

/// How long an invocation may take: milliseconds.
const LEAST_LIMIT_MS: u64 = 3_000;
const MOST_LIMIT_MS: u64 = 6_000;

/// How far apart two of a drain's invocations are, at most: milliseconds.
const MOST_APART_MS: u64 = 150;

/// How much of an invocation's end is looked at for what this machine has kept from it.
const LAST: Duration = Duration::from_secs(2);

/// How long until another process is started where one did not start.
const AGAIN: Duration = Duration::from_millis(200);

/// One drain, which faults may kill and stop.
#[derive(Debug, Default)]
pub(super) struct Drain {
    id: Mutex<Option<u32>>,
    is_busy: AtomicBool,
    /// Whether it was stopped during this invocation.
    was_stopped: AtomicBool,
    is_stopped: AtomicBool,
}

impl Drain {
    /// Whether it is in an invocation.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::SeqCst)
    }

    /// Kills its process; whether there was one.
    pub(super) fn kill(&self) -> bool {
        self.signal(Signal::KILL)
    }

    /// Stops its process until [`Drain::go_on`].
    /// Whether there was one.
    pub(super) fn stop(&self) -> bool {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.was_stopped.store(true, Ordering::SeqCst);
        self.signal(Signal::STOP)
    }

    pub(super) fn go_on(&self) {
        self.is_stopped.store(false, Ordering::SeqCst);
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) -> bool {
        let id = *self.id.lock().unwrap_or_else(PoisonError::into_inner);
        let id = id.and_then(|id| Pid::from_raw(id.try_into().ok()?));
        // An error means that it has just ended.
        id.is_some_and(|id| kill_process(id, signal).is_ok())
    }

    fn is(&self, id: Option<u32>) {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }
}

/// The drains of a run.
#[derive(Debug)]
pub(super) struct Fleet {
    drains: Vec<Arc<Drain>>,
}

impl Fleet {
    pub(super) fn new(drains: usize) -> Self {
        Self { drains: (0..drains).map(|_| Arc::default()).collect() }
    }

    pub(super) fn drains(&self) -> &[Arc<Drain>] {
        &self.drains
    }

    /// One of the drains that have a process, of those at work if there are any.
    pub(super) fn pick(&self, random: &mut StdRng) -> Option<&Arc<Drain>> {
        let has_process =
            |drain: &&Arc<Drain>| drain.id.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let busy: Vec<_> = self.drains.iter().filter(|drain| drain.is_busy()).collect();
        let all =
            if busy.is_empty() { self.drains.iter().filter(has_process).collect() } else { busy };
        (!all.is_empty()).then(|| all[random.random_range(0..all.len())])
    }
}

/// The program of the function, beside ours.
///
/// # Errors
/// When it is not there, with how to build it.
pub(super) fn program() -> Result<PathBuf, Failure> {
    let this = std::env::current_exe()?;
    let program = this.parent().unwrap_or(Path::new(".")).join("drain");
    if !program.exists() {
        let place = program.display();
        return Err(format!("{place} is not there: `cargo build --package drain` makes it").into());
    }
    Ok(program)
}

/// Lets a drain work until the run is over: its `number` decides between REST and TCP.
pub(super) async fn work(
    world: &World,
    drain: &Drain,
    number: usize,
    mut random: StdRng,
) -> Result<(), Failure> {
    let program = program()?;
    while !world.is_over() {
        let ahead_ms = match world.setup.clocks_differ {
            true => clocks::far(&mut random),
            false => 0,
        };
        let settings =
            [world.settings(number.is_multiple_of(2)), clocks::settings(ahead_ms)].concat();
        let started = Function::start_ahead("drain", &program, &[""; 0], &settings, ahead_ms).await;
        let Ok(mut function) = started else {
            sleep(AGAIN).await;
            continue;
        };
        drain.is(function.id());
        while !world.is_over() {
            let limit = random.random_range(LEAST_LIMIT_MS..=MOST_LIMIT_MS);
            if !invoke(world, drain, &mut function, number, Duration::from_millis(limit)).await {
                break;
            }
            sleep(Duration::from_millis(random.random_range(0..=MOST_APART_MS))).await;
        }
        drain.is(None);
        note_reports(world, &function.log());
        function.stop().await;
    }
    Ok(())
}

/// Lets a new process of a drain have one invocation.
pub(super) async fn once(
    world: &World,
    drain: &Drain,
    number: usize,
    mut random: StdRng,
) -> Result<(), Failure> {
    let settings = world.settings(number.is_multiple_of(2));
    let limit = random.random_range(LEAST_LIMIT_MS..=MOST_LIMIT_MS);
    // One that does not start is as one that was not asked.
    if let Ok(mut function) = Function::start("drain", program()?, &[""; 0], &settings).await {
        invoke(world, drain, &mut function, number, Duration::from_millis(limit)).await;
        note_reports(world, &function.log());
        function.stop().await;
    }
    Ok(())
}

/// One invocation; whether its process may have another one.
async fn invoke(
    world: &World,
    drain: &Drain,
    function: &mut Function,
    number: usize,
    limit: Duration,
) -> bool {
    let (begun, now_ms) = (Instant::now(), Clock::System.now_ms());
    drain.was_stopped.store(drain.is_stopped.load(Ordering::SeqCst), Ordering::SeqCst);
    drain.is_busy.store(true, Ordering::SeqCst);
    let attempt = function.attempt(SCHEDULE, limit).await;
    drain.is_busy.store(false, Ordering::SeqCst);
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let (ended, failed, goes_on) = match &attempt {
        Attempt::Answered { at, failed, .. } => (Some(*at), *failed, true),
        Attempt::Ended => (None, false, false),
        Attempt::Overdue => (Some(Instant::now()), true, false),
    };
    world.journal.count(|tally| {
        tally.invocations += 1;
        tally.failed += u64::from(failed);
        tally.killed += u64::from(ended.is_none());
    });
    // One that stood still may be late, and is killed for it; so is one by a fault, and is not late.
    if let Some(ended) = ended.filter(|_| !drain.was_stopped.load(Ordering::SeqCst)) {
        let last = ended.checked_sub(LAST).unwrap_or(begun).max(begun);
        let stood = world.journal.notes().stood_still(last, Instant::now());
        let ended = ended.checked_sub(stood).unwrap_or(begun).max(begun);
        world.journal.evidence(Evidence::Invocation {
            id: format!("drain {number} at {now_ms}"),
            deadline_ms: now_ms + millis(limit),
            ended_ms: now_ms + millis(ended - begun),
            job: None,
        });
    }
    goes_on
}

/// Adds up what a function's log says of its ticks, the failed ones included.
pub(super) fn note_reports(world: &World, log: &str) {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let report = |line: Value| {
        let report = line["fields"]["report"].as_str().or(line["report"].as_str())?.to_owned();
        serde_json::from_str::<Report>(&report).ok()
    };
    for report in lines.filter_map(report) {
        world.journal.count(|tally| {
            tally.reports += 1;
            tally.claimed += report.claimed;
            tally.commands += report.billed_commands;
        });
    }
}
