//! What counts as a loss, and the count of all that was tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::dump::Dump;
use super::probe::Found;
use super::scenario::Scenario;

/// Ways in which a promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A job stood somewhere, and stands nowhere right after the call.
    Lost,
    /// Its hash is gone, but its id still stands somewhere.
    HashGone,
    /// It stood somewhere right after the call, but not after the work that went on, and nobody ended it.
    LostLater,
    /// An id without a job where there was none, and which nobody drops.
    Ghost,
    /// It stands somewhere for ever.
    Stuck,
    /// A parent that nobody releases any more.
    ParentStuck,
    /// It was handed out twice at once.
    Doubled,
    /// Its end was accepted twice.
    EndedTwice,
    /// It was handed out while somebody held it.
    TwoLocks,
    /// It had ended, in a call that then failed, and was run once more.
    RunAgain,
    /// A lock of nobody's.
    LockLeft,
    /// A call that failed was made again, and its job never ran.
    NeverAdded,
    /// The same deduplication id is never accepted again.
    NotAskable,
    /// A scheduler without a next job.
    ScheduleEnded,
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, what: String) -> Self {
        Self { kind, what }
    }

    /// Not by the call, but by the work that went on.
    pub(crate) fn afterwards(self) -> Self {
        let kind = if self.kind == Kind::Lost { Kind::LostLater } else { self.kind };
        Self { kind, ..self }
    }
}

/// The jobs that stand nowhere any more, but for those that were to go and those that were none.
pub(crate) fn lost(
    before: &Dump,
    after: &Dump,
    may_go: &BTreeSet<String>,
    ghosts: &BTreeSet<String>,
) -> Vec<Failure> {
    let (was, is) = (&before.places, &after.places);
    let mut failures = Vec::new();
    for key in was.keys().filter(|key| before.is_hash(key) && !may_go.contains(*key)) {
        if !is.contains_key(key) {
            failures.push(Failure::new(Kind::Lost, key.clone()));
        } else if !after.is_hash(key) {
            failures.push(Failure::new(Kind::HashGone, key.clone()));
        }
        if ghosts.contains(key) {
            failures.push(Failure::new(Kind::Lost, format!("{key}, told to be none")));
        }
    }
    failures
}

/// What was tried, and what went wrong.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) states: u32,
    cases: u32,
    calls: u32,
    refused: u32,
    dumps: u32,
    /// The commands that scripts ran.
    pub(crate) commands: BTreeSet<String>,
    /// By verb and kind: how often, and the first few.
    failures: BTreeMap<(String, Kind), (u32, Vec<String>)>,
}

/// Examples of a kind of failure that are told.
const EXAMPLES: usize = 6;

impl Tally {
    pub(crate) fn add(&mut self, scenario: &Scenario, obstacle: &str, found: Found) {
        let (verb, name) = (scenario.call.verb(), &scenario.name);
        self.cases += 1;
        self.calls += found.calls;
        self.dumps += found.dumps;
        self.refused += u32::from(found.met.is_some());
        let mut seen = BTreeSet::new();
        for Failure { kind, what } in found.failures {
            // The same loss is seen by more than one look.
            if seen.insert((kind, what.clone())) {
                let entry = self.failures.entry((verb.to_owned(), kind)).or_default();
                entry.0 += 1;
                if entry.1.len() < EXAMPLES {
                    let met = found.met.as_deref().unwrap_or("-");
                    entry.1.push(format!("{name}; {obstacle}; refused: {met}; {what}"));
                }
            }
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.states += other.states;
        self.cases += other.cases;
        self.calls += other.calls;
        self.refused += other.refused;
        self.dumps += other.dumps;
        self.commands.extend(other.commands);
        for (key, (times, examples)) in other.failures {
            let entry = self.failures.entry(key).or_default();
            entry.0 += times;
            let room = EXAMPLES - entry.1.len();
            entry.1.extend(examples.into_iter().take(room));
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, cases, calls, refused, dumps, failures, .. } = self;
        write!(
            f,
            "{states} states, {cases} cases, {calls} calls, {refused} refused commands, {dumps} dumps \
             compared"
        )?;
        for ((verb, kind), (times, examples)) in failures {
            write!(f, "\n{verb}: {kind:?} {times}")?;
            for example in examples {
                write!(f, "\n    {example}")?;
            }
        }
        Ok(())
    }
}
