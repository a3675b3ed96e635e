//! Holds the Lua scripts: one a verb, put together from a library of named functions.
//!
//! None of the scripts is replayed by the client on its own: the queue sends a lost one again with
//! `again` set, and the script then answers what its first run did.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::script::shrink::shrunk;
use batchmq_redis::Script;

/// A script that is put together when it is first used.
pub(crate) type Lazy = LazyLock<Script>;

macro_rules! library {
    ($($name:literal)+) => {
        [$(($name, include_str!(concat!("lua/lib/", $name, ".lua")))),+]
    };
}

/// What scripts include, by name: one idea a file.
const LIBRARY: &[(&str, &str)] = &library!(
    "claimJobs" "commands" "countMetrics" "deleteJob" "emit" "findClaimed" "holders" "numbers" "placeJob"
    "promoteDue" "queue" "readJob" "receipt" "releaseDeduplication" "removeJob" "retain" "returnToParent"
    "reviveJob" "schedule" "scores" "settings" "storeJob" "waitingList"
);

macro_rules! script {
    ($name:literal, $file:literal) => {
        LazyLock::new(|| Script {
            name: $name,
            source: shrunk(&assembled(include_str!(concat!("lua/", $file, ".lua")))).leak(),
            replay_safe: false,
        })
    };
}

pub(crate) static ENQUEUE: Lazy = script!("batchmq:enqueue", "enqueue");
pub(crate) static CLAIM: Lazy = script!("batchmq:claim", "claim");
pub(crate) static SETTLE: Lazy = script!("batchmq:settle", "settle");
pub(crate) static RECOVER: Lazy = script!("batchmq:recover", "recover");
pub(crate) static PAUSE: Lazy = script!("batchmq:pause", "pause");
pub(crate) static RESUME: Lazy = script!("batchmq:resume", "resume");
pub(crate) static REMOVE: Lazy = script!("batchmq:remove", "remove");
pub(crate) static CLEAN: Lazy = script!("batchmq:clean", "clean");
pub(crate) static OBLITERATE: Lazy = script!("batchmq:obliterate", "obliterate");
pub(crate) static RETRY: Lazy = script!("batchmq:retry", "retry");
pub(crate) static PROMOTE: Lazy = script!("batchmq:promote", "promote");
pub(crate) static MOVE_TO_WAIT: Lazy = script!("batchmq:move-to-wait", "move_to_wait");
pub(crate) static RETRY_BY_REASON: Lazy = script!("batchmq:retry-by-reason", "retry_by_reason");
pub(crate) static SCHEDULE: Lazy = script!("batchmq:schedule", "schedule");
pub(crate) static UNSCHEDULE: Lazy = script!("batchmq:unschedule", "unschedule");
pub(crate) static NEXT_ITERATION: Lazy = script!("batchmq:next-iteration", "next_iteration");
pub(crate) static DEAD_SCHEDULES: Lazy = script!("batchmq:dead-schedules", "dead_schedules");
pub(crate) static PAGE: Lazy = script!("batchmq:page", "page");
pub(crate) static FAILURES: Lazy = script!("batchmq:failures", "failures");
pub(crate) static PRIORITIES: Lazy = script!("batchmq:priorities", "priorities");
pub(crate) static RENEW: Lazy = script!("batchmq:renew", "renew");
pub(crate) static HELD: Lazy = script!("batchmq:held", "held");

/// The scripts that every job goes through, by name, and how long they are in bytes as uploaded.
pub fn script_sizes() -> impl Iterator<Item = (&'static str, usize)> {
    [&ENQUEUE, &CLAIM, &SETTLE].into_iter().map(|script| (script.name, script.source.len()))
}

/// Words in capitals that scripts name and that are no commands: options of commands, and errors.
const NO_COMMANDS: [&str; 9] =
    ["COUNT", "KEEPTTL", "LIMIT", "MAXLEN", "NX", "PX", "RANK", "WITHSCORES", "WRONGTYPE"];

/// Every script by its name, and the Redis commands that it may run: what a user of Redis must be allowed
/// who runs it.
///
/// ```
/// let (_, commands) = batchmq::script_commands().find(|(name, _)| *name == "batchmq:renew").unwrap();
/// assert!(commands.contains("MGET") && !commands.contains("RENAME"));
/// ```
pub fn script_commands() -> impl Iterator<Item = (&'static str, BTreeSet<&'static str>)> {
    let scripts = [
        &ENQUEUE,
        &CLAIM,
        &SETTLE,
        &RECOVER,
        &PAUSE,
        &RESUME,
        &REMOVE,
        &CLEAN,
        &OBLITERATE,
        &RETRY,
        &PROMOTE,
        &MOVE_TO_WAIT,
        &RETRY_BY_REASON,
        &SCHEDULE,
        &UNSCHEDULE,
        &NEXT_ITERATION,
        &DEAD_SCHEDULES,
        &PAGE,
        &FAILURES,
        &PRIORITIES,
        &RENEW,
        &HELD,
    ];
    scripts.into_iter().map(|script| {
        let quoted = script.source.split('\'').skip(1).step_by(2);
        let is_command = |word: &&str| {
            word.len() > 1
                && word.bytes().all(|byte| byte.is_ascii_uppercase())
                && !NO_COMMANDS.contains(word)
        };
        (script.name, quoted.filter(is_command).collect())
    })
}

/// The text with what it includes by lines of the form `-- @include "name"`, each part once, before
/// the part that includes it.
fn assembled(text: &str) -> String {
    fn add(text: &str, included: &mut Vec<&'static str>, out: &mut String) {
        for line in text.lines() {
            let name = line.strip_prefix("-- @include \"").and_then(|rest| rest.strip_suffix('"'));
            let Some(name) = name else { continue };
            // A name that is not there is found by the tests: the script does not even load.
            let part = LIBRARY.iter().find(|(known, _)| *known == name);
            if let Some((known, part)) = part
                && !included.contains(known)
            {
                included.push(known);
                add(part, included, out);
            }
        }
        out.push_str(text);
        out.push('\n');
    }
    let mut out = String::new();
    add(text, &mut Vec::new(), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Redis keeps every script's text, and a request that meets a server without it carries it.
    const MOST_BYTES: usize = 20 * 1024;

    #[test]
    fn what_every_job_runs_stays_small() {
        for (name, bytes) in script_sizes() {
            println!("{name}: {bytes} bytes");
            assert!(bytes <= MOST_BYTES, "{name}: {bytes}");
        }
    }

    #[test]
    fn every_include_names_a_part_and_comes_once() {
        for (name, text) in LIBRARY {
            for line in text.lines().filter(|line| line.contains("@include")) {
                let known =
                    LIBRARY.iter().any(|(known, _)| line == format!("-- @include \"{known}\""));
                assert!(known, "{name}: {line}");
            }
        }
        let twice = "-- @include \"commands\"\n-- @include \"commands\"\n-- @include \"emit\"\n";
        assert_eq!(assembled(twice).matches("local executed = 0").count(), 1);
    }
}
