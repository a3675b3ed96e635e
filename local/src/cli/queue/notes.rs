//! What looks wrong with a queue, though no figure says so.

use std::collections::BTreeSet;

use shared::clock::Clock;
use shared::queue::schedule::Behind;
use shared::queue::{Counts, Error, Queue};
use shared::redis::Command;

use super::span;
use crate::queue::{Scan, escaped};

/// Pages of a walk: a large database is not walked to its end.
const MOST_PAGES: usize = 20;

/// Schedules that are looked at.
const MOST_SCHEDULES: u64 = 100;

/// Names that a note tells.
const MOST_NAMED: usize = 5;

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// What looks wrong: jobs that wait for more than a day, schedules that have ended by accident, and where nothing is
/// there, other prefixes that hold a queue of this name: one command and two a schedule, and at most 20 for that walk.
/// With `deep` also follow-ups of a deduplication id that nobody holds, of which no list is kept: at most 21 more.
pub(super) async fn of(
    queue: &Queue,
    counts: &Counts,
    oldest_waiting: Option<i64>,
    deep: bool,
) -> Result<Vec<String>, Error> {
    let mut notes = Vec::new();
    let now = Clock::System.now_ms();
    if let Some(age) = oldest_waiting.map(|at| now.saturating_sub(at)).filter(|age| *age > DAY_MS) {
        let age = span::shown(age);
        notes.push(format!(
            "a job has waited for {age}: see that a drain runs, and deo queue jobs waiting"
        ));
    }
    for schedule in queue.schedulers(0, MOST_SCHEDULES).await? {
        if let Some(Behind::GoneSince(since)) = schedule.behind {
            let (id, ago) = (schedule.id, span::shown(now.saturating_sub(since)));
            notes.push(format!(
                "the schedule {id} is dead: its next job is gone, due {ago} ago; the next tick puts it back"
            ));
        }
    }
    if deep {
        notes.extend(followed_by_nobody(queue).await?);
    }
    let Counts { wait, paused, prioritized, delayed, active, completed, failed, .. } = counts;
    if [wait, paused, prioritized, delayed, active, completed, failed]
        .into_iter()
        .all(|jobs| *jobs == 0)
    {
        notes.extend(elsewhere(queue).await?);
    }
    Ok(notes)
}

/// Follow-ups that wait for a job that does not stand for its id any more, so that nothing starts them.
async fn followed_by_nobody(queue: &Queue) -> Result<Option<String>, Error> {
    let options = queue.options();
    let base = format!("{}:{}:", options.prefix, options.name);
    let scan = Scan::new(queue.redis(), format!("{}dn:*", escaped(&base)));
    let follow_ups = scan.texts(MOST_PAGES).await?;
    let ids: Vec<&str> = follow_ups
        .iter()
        .filter_map(|key| key.strip_prefix(&format!("{base}dn:")))
        .take(1_000)
        .collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let holders = ids.iter().map(|id| format!("{base}de:{id}"));
    let holders = queue.redis().call(Command::new("MGET").args(holders).replay_safe()).await?;
    let holders = holders.as_array().unwrap_or_default();
    let lost: Vec<&str> =
        ids.iter().zip(holders).filter(|(_, holder)| holder.is_nil()).map(|(id, _)| *id).collect();
    Ok((!lost.is_empty()).then(|| {
        format!(
            "{} follow-ups wait for a job that is gone ({}): deo enqueue --project asks anew",
            lost.len(),
            named(lost.iter().copied())
        )
    }))
}

/// Where else a queue of this name is.
async fn elsewhere(queue: &Queue) -> Result<Option<String>, Error> {
    let options = queue.options();
    let end = format!(":{}:meta", options.name);
    let scan = Scan::new(queue.redis(), format!("*{}", escaped(&end)));
    let found = scan.texts(MOST_PAGES).await?;
    let prefixes: BTreeSet<&str> = found
        .iter()
        .filter_map(|key| key.strip_suffix(&end))
        .filter(|prefix| *prefix != options.prefix)
        .collect();
    Ok((!prefixes.is_empty()).then(|| {
        format!(
            "nothing is here, under the prefix {}, but a queue of this name is under {}: set REDIS_PREFIX",
            options.prefix,
            named(prefixes.iter().copied())
        )
    }))
}

fn named<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.take(MOST_NAMED + 1).collect();
    if names.len() > MOST_NAMED {
        names.truncate(MOST_NAMED);
        names.push("…");
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_told() {
        assert_eq!(named(["a", "b"].into_iter()), "a, b");
        assert_eq!(named(["a"; 9].into_iter()), "a, a, a, a, a, …");
    }
}
