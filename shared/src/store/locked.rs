//! Finds projects whose rows somebody else keeps locked.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For so long after a project was found locked, no batch waits for it: until the next tick and the one
/// after it.
const LATELY: Duration = Duration::from_secs(150);

/// The projects that were found locked lately: nobody waits for them again.
#[derive(Default)]
pub(super) struct Locked(Mutex<HashMap<String, Instant>>);

impl Locked {
    fn since(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any of these projects was.
    pub(super) fn knows<'a>(&self, mut projects: impl Iterator<Item = &'a str>) -> bool {
        let mut since = self.since();
        since.retain(|_, since| since.elapsed() < LATELY);
        projects.any(|id| since.contains_key(id))
    }

    /// Notes which of these projects are `locked`, and that the others are not.
    pub(super) fn note<'a>(
        &self,
        projects: impl Iterator<Item = &'a str>,
        locked: &HashSet<String>,
    ) {
        let mut since = self.since();
        for id in projects {
            match locked.contains(id) {
                true => since.insert(id.to_owned(), Instant::now()),
                false => since.remove(id),
            };
        }
    }
}
