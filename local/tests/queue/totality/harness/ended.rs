//! Whether every job has ended, once.

use std::collections::BTreeSet;

use super::call::Call;
use super::drive::Ends;
use super::dump::Dump;
use super::scenario::Scenario;
use super::verdict::{Failure, Kind};

/// Whether each job that stood somewhere before has ended, once.
pub(crate) fn ended(
    scenario: &Scenario,
    [before, after, last]: [&Dump; 3],
    ends: &Ends,
    told: &BTreeSet<String>,
    may_go: &BTreeSet<String>,
    failures: &mut Vec<Failure>,
) {
    let (was, then, now) = (&before.places, &after.places, &last.places);
    for (key, _) in was.iter().filter(|(key, _)| before.is_hash(key)) {
        let places = now.get(key).map_or(&[][..], Vec::as_slice);
        let accepted = ends.accepted.get(key).copied().unwrap_or(0);
        // What is put back to work twice runs twice.
        let revived =
            matches!(scenario.call, Call::Retry(..) | Call::RetryAll(_) | Call::RetryByReason(_));
        if accepted > 1 + u32::from(revived) {
            failures.push(Failure::new(Kind::EndedTwice, key.clone()));
        }
        let has_ended =
            |places: &[&str]| places.contains(&"completed") || places.contains(&"failed");
        // Retention, or a clean that was asked for again, takes what has ended.
        let may_be_cleaned =
            then.get(key).is_some_and(|places| has_ended(places)) && !scenario.may_go.is_empty();
        match places {
            ["completed"] | ["failed"] => {}
            // A removal was refused: where nobody takes it from, an id that has ended may stay.
            ["waiting-children", "completed" | "failed"] => {}
            [] if may_be_cleaned || matches!(scenario.call, Call::Clean(_)) => {}
            [] if accepted > 0 || may_go.contains(key) || scenario.may_go.contains(key) => {}
            [] if then.contains_key(key) => {
                failures.push(Failure::new(Kind::LostLater, key.clone()));
            }
            [] => {}
            ["waiting-children"] if !last.is_hash(key) && may_go.contains(key) => {}
            ["waiting-children"] if scenario.waits || !before.can_be_released(key) => {}
            ["waiting-children"] => failures.push(Failure::new(Kind::ParentStuck, key.clone())),
            _ => failures.push(Failure::new(Kind::Stuck, format!("{key} {places:?}"))),
        }
        let by_call =
            then.get(key).is_some_and(|places| has_ended(places)) && !has_ended(&was[key]);
        if by_call && accepted > 0 && !told.contains(key) {
            failures.push(Failure::new(Kind::RunAgain, key.clone()));
        }
    }
    for key in now.keys().filter(|key| !was.contains_key(*key) && !last.is_hash(key)) {
        failures.push(Failure::new(Kind::Ghost, key.clone()));
    }
    for (kind, what) in &ends.wrong {
        failures.push(Failure::new(*kind, what.clone()));
    }
    for key in last.keys.keys().filter(|key| key.ends_with(":lock")) {
        failures.push(Failure::new(Kind::LockLeft, key.clone()));
    }
    let alive = last.schedulers();
    for (id, _) in before.schedulers().into_iter().filter(|(_, alive)| *alive) {
        let ends_it = matches!(scenario.call, Call::Unschedule(_));
        if !ends_it && !alive.get(&id).copied().unwrap_or(false) {
            failures.push(Failure::new(Kind::ScheduleEnded, id));
        }
    }
}
