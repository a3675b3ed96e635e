//! One case: a call before an obstacle, the work that goes on, and what is left when the obstacle is gone.

use std::collections::{BTreeMap, BTreeSet};

use shared::clock::Clock;
use shared::queue::{Added, ClaimRequest, Deduplication, Error, JobOptions, NewJob, Outcome};

use super::NOW;
use super::bench::Bench;
use super::call::{Call, Told};
use super::drive::{Ends, drive, elapse};
use super::dump::{BASES, Dump};
use super::ended::ended;
use super::proxy::Obstacle;
use super::scenario::Scenario;
use super::verdict::{Failure, Kind, lost};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// How an obstacle goes away.
pub(crate) enum Lift {
    /// The proxy's.
    Disarm,
    /// This key is deleted.
    Delete(String),
    /// The user gets the command; the work goes on as another one.
    Grant,
}

/// What a case found.
pub(crate) struct Found {
    /// The command that was refused.
    pub(crate) met: Option<String>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) dumps: u32,
    pub(crate) calls: u32,
}

/// Keeps the scenario's state on the bench, and tells which commands its scripts run on it.
pub(crate) async fn traced(bench: &mut Bench, scenario: &Scenario) -> Vec<Vec<String>> {
    bench.keep(&scenario.lines).await;
    bench.restore().await;
    let queue = bench.behind_proxy(scenario.settings);
    bench.proxy.arm(Obstacle::Trace);
    drop(scenario.call.make(&queue).await);
    bench.proxy.disarm();
    bench.trace().await
}

/// Tries the call on the bench's state, which is in place, the obstacle too; then takes that away, and looks
/// whether every job ends.
pub(crate) async fn probe(
    bench: &mut Bench,
    scenario: &Scenario,
    before: &Dump,
    obstacle: Option<Obstacle>,
    lacks: Option<&str>,
    lift: Lift,
) -> Found {
    let queue = match lacks {
        Some(lacks) => bench.without(lacks, scenario.settings).await,
        None => bench.behind_proxy(scenario.settings),
    };
    if let Some(obstacle) = obstacle {
        bench.proxy.arm(obstacle);
    }
    let mut found = Found { met: None, failures: Vec::new(), dumps: 2, calls: 1 };
    let mut ends = Ends::default();
    let mut may_go = scenario.may_go.clone();
    if let Lift::Delete(key) = &lift {
        // Nobody can tell that somebody works on a job whose lock is none; and what is deleted is gone.
        may_go.extend(key.strip_suffix(":lock").map(str::to_owned));
        may_go.insert(key.clone());
    }
    let told = scenario.call.make(&queue).await;
    let mut ghosts = BTreeSet::new();
    let mut held = BTreeSet::new();
    let mut claim = None;
    match &told {
        Ok(Told { codes, claim: taken, missing, .. }) => {
            ends.take(BASES[0], codes);
            // What their retention says is not looked into.
            may_go.extend(ends.accepted.keys().cloned());
            ghosts.extend(missing.iter().map(|id| format!("{}{id}", BASES[0])));
            claim = taken.clone();
        }
        Err(_) => {
            // Whoever asked for the end and the removal of a job may find both done.
            let gone = scenario.call.settles().iter().map(|(job, _)| format!("t:q:{}", job.id));
            may_go.extend(gone.filter(|key| scenario.may_go.contains(key)));
        }
    }
    let accepted: BTreeSet<String> = ends.accepted.keys().cloned().collect();
    let after = Dump::of(&mut bench.work).await;
    found.met = after.met.clone();
    found.failures.extend(lost(before, &after, &may_go, &ghosts));

    // Work goes on before an obstacle that stays.
    if !matches!(obstacle, None | Some(Obstacle::Once(_) | Obstacle::Trace)) || lacks.is_some() {
        found.calls += 3;
        if let Ok(taken) = queue.claim(ClaimRequest::everywhere(100)).await {
            held.extend(claim.iter().flat_map(|claim| claim.jobs.iter().map(|job| job.id.clone())));
            for job in &taken.jobs {
                if held.contains(&job.id) {
                    let id = job.id.clone();
                    found.failures.push(Failure::new(Kind::TwoLocks, id));
                }
            }
            ends.settle(&queue, BASES[0], &taken).await;
        }
        drop(queue.recover().await);
        let still = Dump::of(&mut bench.work).await;
        found.dumps += 1;
        may_go.extend(ends.accepted.keys().cloned());
        let later = lost(before, &still, &may_go, &ghosts);
        found.failures.extend(later.into_iter().map(|failure| failure.afterwards()));
    }
    match &lift {
        Lift::Disarm => bench.proxy.disarm(),
        Lift::Delete(key) => {
            bench.proxy.disarm();
            bench.raw(&["DEL".to_owned(), key.clone()]).await;
        }
        Lift::Grant => {}
    }

    // Whoever was told of success goes on with it while its locks hold; nobody else gets its jobs.
    if let Some(claim) = claim.filter(|claim| !claim.jobs.is_empty()) {
        let direct = bench.direct("q", &Clock::manual(NOW), scenario.settings);
        let ours: BTreeSet<_> = claim.jobs.iter().map(|job| job.id.clone()).collect();
        if let Ok(other) = direct.claim(ClaimRequest::everywhere(100)).await {
            for job in other.jobs.iter().filter(|job| ours.contains(&job.id)) {
                found.failures.push(Failure::new(Kind::TwoLocks, job.id.clone()));
            }
            ends.settle(&direct, BASES[0], &other).await;
        }
        ends.settle(&direct, BASES[0], &claim).await;
    }
    let clock = Clock::manual(NOW + DAY_MS);
    let [later, other] = ["q", "other"].map(|name| bench.direct(name, &clock, scenario.settings));
    let mut again = Vec::new();
    if told.is_err() && scenario.call.is_repeated() {
        // Whoever was told of a failure asks again; what holds a deduplication key is believed for a while.
        let mut then = NOW;
        if matches!(scenario.call, Call::Enqueue(_)) {
            elapse(&mut bench.work).await;
            then += HOUR_MS;
        }
        let anew = bench.direct("q", &Clock::manual(then), scenario.settings);
        match scenario.call.make(&anew).await {
            Ok(told) => again = told.added,
            Err(Error::Refused(_)) => {}
            Err(error) => found.failures.push(Failure::new(Kind::NeverAdded, error.to_string())),
        }
    }
    if let Ok(told) = &told {
        again.extend(told.added.clone());
    }
    if (before.is_paused() || matches!(scenario.call, Call::Pause))
        && let Err(error) = later.resume().await
    {
        found.failures.push(Failure::new(Kind::Stuck, format!("resume: {error}")));
    }
    drive([&later, &other], &clock, &mut bench.work, &mut ends).await;
    let last = Dump::of(&mut bench.work).await;
    never_added(scenario, &again, [before, &last], &ends, &mut found.failures);
    ended(scenario, [before, &after, &last], &ends, &accepted, &may_go, &mut found.failures);
    if matches!(lift, Lift::Delete(_)) {
        // A child ends without its parent where nothing can be read of a key of that one's.
        found.failures.retain(|failure| failure.kind != Kind::ParentStuck);
    }
    asked_again(bench, scenario, &last, &mut found).await;
    found
}

/// Whether each job that was added, or that stands for one, has run.
fn never_added(
    scenario: &Scenario,
    again: &[Added],
    [before, last]: [&Dump; 2],
    ends: &Ends,
    failures: &mut Vec<Failure>,
) {
    let places = &last.places;
    let asked = if let Call::Enqueue(jobs) = &scenario.call { &jobs[..] } else { &[] };
    let id_of = |job: &NewJob| job.opts.deduplication.as_ref().map(|dedup| dedup.id.clone());
    for (place, added) in again.iter().enumerate() {
        // A later one of the same call took its place.
        let replaces = |job: &NewJob| {
            id_of(job) == id_of(&asked[place])
                && job.opts.deduplication.as_ref().is_some_and(|dedup| dedup.replace)
        };
        if asked[place + 1..].iter().any(replaces) {
            continue;
        }
        let key = format!("{}{}", BASES[0], added.id);
        // What stands for it is no job, or stood in the key that was another, and was told as one.
        if before.keys.contains_key(&key)
            && !(before.is_hash(&key) && before.places.contains_key(&key))
        {
            continue;
        }
        let ended = matches!(places.get(&key).map(Vec::as_slice), Some(["completed"] | ["failed"]));
        if !ended && !ends.accepted.contains_key(&key) {
            failures.push(Failure::new(Kind::NeverAdded, added.id.clone()));
        }
    }
}

/// Whether whoever was deduplicated by what has ended is asked for again, and runs.
async fn asked_again(bench: &mut Bench, scenario: &Scenario, last: &Dump, found: &mut Found) {
    let ids = last.deduplications();
    if ids.is_empty() {
        return;
    }
    let jobs: Vec<NewJob> = ids.iter().map(|id| deduplicated(id)).collect();
    let clock = Clock::manual(NOW + 2 * DAY_MS);
    let later = bench.direct("q", &clock, scenario.settings);
    match later.enqueue(&jobs).await {
        Err(error) => found.failures.push(Failure::new(Kind::NotAskable, error.to_string())),
        Ok(added) => {
            let bad = added.iter().zip(&ids).filter(|(added, _)| added.outcome != Outcome::Added);
            let mut bad: BTreeMap<_, _> = bad.map(|(added, id)| (added.id.clone(), id)).collect();
            if bad.is_empty() {
                return;
            }
            // A scheduler's next job may hold its key; it runs.
            bad.retain(|holder, _| !last.places.contains_key(&format!("{}{holder}", BASES[0])));
            for (holder, id) in bad {
                found
                    .failures
                    .push(Failure::new(Kind::NotAskable, format!("{id} held by {holder}")));
            }
        }
    }
}

fn deduplicated(id: &str) -> NewJob {
    let deduplication = Deduplication { id: id.to_owned(), ..Deduplication::default() };
    let opts = JobOptions { deduplication: Some(deduplication), ..JobOptions::default() };
    NewJob { name: "again".to_owned(), data: "{}".to_owned(), opts, ..NewJob::default() }
}
