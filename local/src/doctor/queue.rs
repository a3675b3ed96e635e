//! What there is to read of the queue: whether its jobs may start, and whether a drain comes for them.

use shared::clock::Clock;
use shared::engine::alive;
use shared::queue::schedule::Behind;
use shared::queue::{Counts, Error, Hold, Queue};
use shared::redis::Condition;

use super::Check;

/// A drain that ticks every minute is seen sooner, also when it has nothing to do.
const SEEN_MS: i64 = 15 * 60 * 1_000;

/// Schedulers that are looked at.
const SCHEDULERS: u64 = 50;

/// A scheduler's job that is so late waits for somebody.
const LATE_MS: i64 = 10 * 60 * 1_000;

/// Characters of a tick's error that are shown.
const MOST_OF_AN_ERROR: usize = 200;

/// Looks: 15 commands, and up to 2 more where something keeps jobs from starting.
pub(super) async fn look(queue: &Queue, checks: &mut Vec<Check>) {
    let counts = counts(queue, checks).await;
    checks.extend(held(queue, counts).await);
    checks.push(heartbeat(queue).await);
    checks.push(schedules(queue).await);
}

/// What could not be looked at; `what` is that, in words.
fn unseen(name: &'static str, what: &str, error: &Error) -> Check {
    let condition = match error {
        Error::Redis(error) => error.kind().condition(),
        _ => None,
    };
    match condition {
        // A function's own user need not read what people look at.
        Some(Condition::NoPermission) => {
            let told = format!("this user may not read {what}");
            Check::warn(name, told, "look with that of `api`, or with one of your own")
        }
        Some(Condition::WrongType) => Check::fail(
            name,
            format!("{what} cannot be read: {error}"),
            "somebody else has written to this key: give the other program another prefix, and rename \
             or delete the key",
        ),
        _ => Check::fail(name, error.to_string(), ""),
    }
}

/// How many jobs there are. `None` where they cannot be counted, which is told.
async fn counts(queue: &Queue, checks: &mut Vec<Check>) -> Option<Counts> {
    const NAME: &str = "queue.counts";
    match queue.counts().await {
        Ok(counts) => {
            let waiting = waiting(&counts);
            let Counts { delayed, active, failed, .. } = counts;
            let told = format!(
                "jobs: {waiting} waiting, {delayed} delayed, {active} active, {failed} failed"
            );
            checks.push(Check::ok(NAME, told));
            Some(counts)
        }
        Err(error) => {
            checks.push(unseen(NAME, "the queue's jobs", &error));
            None
        }
    }
}

fn waiting(counts: &Counts) -> u64 {
    counts.wait + counts.paused + counts.prioritized
}

/// Whether a pause or a limit keeps jobs from starting.
async fn held(queue: &Queue, counts: Option<Counts>) -> Option<Check> {
    const NAME: &str = "queue.held";
    let waits = counts.is_none_or(|counts| waiting(&counts) > 0);
    let hold = match queue.limits().await {
        Ok(limits) => queue.hold(&limits, waits).await,
        Err(error) => Err(error),
    };
    let hold = match hold {
        Ok(hold) => hold,
        // It reads a key of the counts, too: that was told.
        Err(_) if counts.is_none() => return None,
        Err(error) => return Some(unseen(NAME, "the queue's limits", &error)),
    };
    let remedy = match hold {
        Some(Hold::Paused) => "`deo queue resume` lets jobs start again",
        Some(Hold::Limited { .. }) if waits => {
            "that passes; `deo queue limit --rate none` lifts the queue's own rate limit"
        }
        Some(Hold::Full { .. }) if waits => {
            "that passes as jobs end; `deo queue limit --concurrency none` lifts the queue's limit"
        }
        _ => return Some(Check::ok(NAME, "nothing keeps jobs from starting")),
    };
    let told = hold.map(|hold| hold.to_string()).unwrap_or_default();
    Some(Check::warn(NAME, format!("the queue is {told}"), remedy))
}

async fn heartbeat(queue: &Queue) -> Check {
    const NAME: &str = "queue.heartbeat";
    let alive = match alive(queue).await {
        Ok(alive) => alive,
        Err(error) => return unseen(NAME, "the heartbeat", &error),
    };
    let remedy = "before the stage is switched on that is so; else look at the schedule of `drain` and its log";
    let now = Clock::System.now_ms();
    let ago = match alive.last_seen.map(|at| now - at) {
        None => {
            return Check::warn(NAME, "no drain has been seen yet, or none for a day", remedy);
        }
        Some(ago) if ago > SEEN_MS => {
            let told = format!("no drain has been seen for {} min", ago / 60_000);
            return Check::warn(NAME, told, remedy);
        }
        Some(ago) => ago.max(0) / 1_000,
    };
    let newest = alive.ticks.first();
    if let Some((tick, error)) = newest.and_then(|tick| Some((tick, tick.error.as_ref()?))) {
        // Whoever may write to the queue may have written it: nothing in it steers a terminal.
        let error = error.chars().map(|c| if c.is_control() { ' ' } else { c });
        let error: String = error.take(MOST_OF_AN_ERROR).collect();
        let told = format!(
            "a drain was seen {ago} s ago, and its newest tick with work, {} s ago, ended in an error ({error})",
            (now - tick.at).max(0) / 1_000
        );
        let remedy = "docs/troubleshooting.md, A tick fails, says what to do about it";
        return Check::warn(NAME, told, remedy);
    }
    Check::ok(NAME, format!("a drain was seen {ago} s ago"))
}

/// Job schedulers without a next job.
async fn schedules(queue: &Queue) -> Check {
    const NAME: &str = "queue.schedules";
    let all = match queue.schedulers(0, SCHEDULERS).await {
        Ok(all) => all,
        Err(error) => return unseen(NAME, "the job schedulers", &error),
    };
    let now = Clock::System.now_ms();
    let is_dead = |behind: &Option<Behind>| match behind {
        Some(Behind::GoneSince(_)) => true,
        Some(Behind::OverdueSince(at)) => now - at > LATE_MS,
        _ => false,
    };
    let dead: Vec<&str> =
        all.iter().filter(|it| is_dead(&it.behind)).map(|it| it.id.as_str()).collect();
    if dead.is_empty() {
        let told = match all.len() {
            0 => "there are no job schedulers".to_owned(),
            count => format!("each of {count} job schedulers has its next job"),
        };
        return Check::ok(NAME, told);
    }
    let told = format!("job schedulers have no next job, or a late one: {}", dead.join(", "));
    let remedy =
        "a drain's next tick puts it back; if it does not, `deo queue schedule list` tells of each";
    Check::warn(NAME, told, remedy)
}
