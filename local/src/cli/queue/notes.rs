//! What looks wrong with a queue, though no figure says so.

use std::collections::BTreeSet;

use shared::clock::Clock;
use shared::queue::schedule::Behind;
use shared::queue::{Counts, Error, Queue};
use shared::redis::Command;

use super::span;

/// Pages of a scan, and keys of a page: a large database is not walked to its end.
const MOST_PAGES: usize = 20;
const PAGE: &str = "1000";

/// Schedules that are looked at.
const MOST_SCHEDULES: u64 = 100;

/// Names that a note tells.
const MOST_NAMED: usize = 5;

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// What looks wrong: jobs that wait for more than a day, schedules that have ended by accident, follow-ups of
/// a deduplication id that nobody holds, and where nothing is there, other prefixes that hold a queue of this
/// name. One command and two a schedule, at most 20 for each of the two scans, and one for the follow-ups.
pub(super) async fn of(
    queue: &Queue,
    counts: &Counts,
    oldest_waiting: Option<i64>,
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
    if let Some(note) = followed_by_nobody(queue).await? {
        notes.push(note);
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
    let follow_ups = scan(queue, &format!("{}dn:*", escaped(&base))).await?;
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
    let found = scan(queue, &format!("*{}", escaped(&end))).await?;
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

/// The text as a pattern that matches nothing else.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| "*?[]\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Keys that match, of those that the first pages of a scan give.
async fn scan(queue: &Queue, pattern: &str) -> Result<Vec<String>, Error> {
    let mut cursor = "0".to_owned();
    let mut keys = Vec::new();
    for _ in 0..MOST_PAGES {
        let page =
            Command::new("SCAN").arg(cursor.as_str()).args(["MATCH", pattern, "COUNT", PAGE]);
        let answer = queue.redis().call(page.replay_safe()).await?;
        let Some([next, found]) = answer.as_array() else { return Err(Error::Protocol("SCAN")) };
        let found = found.as_array().unwrap_or_default();
        keys.extend(found.iter().filter_map(|key| key.as_str().map(str::to_owned)));
        cursor = next.as_str().unwrap_or("0").to_owned();
        if cursor == "0" {
            break;
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_a_name_as_it_is_written() {
        assert_eq!(escaped("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\");
        assert_eq!(named(["a", "b"].into_iter()), "a, b");
        assert_eq!(named(["a"; 9].into_iter()), "a, a, a, a, a, …");
    }
}
