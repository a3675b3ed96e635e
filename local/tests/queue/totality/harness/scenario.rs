//! One state of a queue, and a call on it.

use std::collections::BTreeSet;

use shared::config::QueueOptions;

use super::call::Call;
use super::jobs::Job;

/// A call on a state.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) call: Call,
    pub(crate) settings: fn(&mut QueueOptions),
    pub(crate) lines: Vec<Vec<String>>,
    /// Hashes' keys of the jobs that the call is to take away.
    pub(crate) may_go: BTreeSet<String>,
    /// Whether a parent waits for ever, as a child's failure means nothing to it.
    pub(crate) waits: bool,
}

impl Scenario {
    pub(crate) fn new(name: impl Into<String>, call: Call, jobs: &[Job]) -> Self {
        Self {
            name: name.into(),
            call,
            settings: |_| {},
            lines: jobs.iter().flat_map(Job::lines).collect(),
            may_go: BTreeSet::new(),
            waits: false,
        }
    }

    pub(crate) fn parent_waits(mut self) -> Self {
        self.waits = true;
        self
    }

    pub(crate) fn with(mut self, settings: fn(&mut QueueOptions)) -> Self {
        self.settings = settings;
        self
    }

    /// One command more: `@` is the queue's prefix, `%` the other's.
    pub(crate) fn and(mut self, line: &str) -> Self {
        let line = line.replace('@', "t:q:").replace('%', "t:other:");
        self.lines.push(line.split(' ').map(str::to_owned).collect());
        self
    }

    /// These go, as they are meant to.
    pub(crate) fn going(mut self, ids: &[&str]) -> Self {
        self.may_go.extend(ids.iter().map(|id| format!("t:q:{id}")));
        self
    }

    pub(crate) fn title(&self) -> String {
        format!("{}: {}", self.call.verb(), self.name)
    }
}
