//! The Lua scripts, put together from their parts.
//!
//! A plain job's calls leave out the parts that only flows, deduplication, metrics, delayed jobs or a
//! lost answer need, so that the server runs and keeps less. None of the scripts is replayed by the
//! client on its own: the queue sends a lost one again with `again` set, and the script then
//! answers what its first run did.

use std::sync::LazyLock;

use crate::redis::Script;

/// A script that is put together when it is first used.
pub(crate) type Lazy = LazyLock<Script>;

macro_rules! script {
    ($name:literal, $($part:literal),+) => {
        LazyLock::new(|| Script {
            name: $name,
            source: bare(concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),+)),
            replay_safe: false,
        })
    };
}

pub(crate) static ENQUEUE: Lazy = script!("deo:enqueue", "parts/prelude", "parts/place", "enqueue");
pub(crate) static CLAIM: Lazy = script!(
    "deo:claim",
    "parts/prelude",
    "parts/place",
    "parts/due",
    "parts/read",
    "parts/scan",
    "parts/claim",
    "claim"
);
pub(crate) static SETTLE_PLAIN: Lazy = script!(
    "deo:settle-plain",
    "parts/prelude",
    "parts/place",
    "parts/no_kin",
    "parts/no_dedup",
    "parts/finish",
    "parts/due",
    "parts/others",
    "parts/settle",
    "settle"
);
pub(crate) static SETTLE: Lazy = script!(
    "deo:settle",
    "parts/prelude",
    "parts/place",
    "parts/no_kin",
    "parts/dedup",
    "parts/finish",
    "parts/due",
    "parts/others",
    "parts/settle",
    "parts/metrics",
    "settle"
);
pub(crate) static SETTLE_KIN: Lazy = script!(
    "deo:settle-kin",
    "parts/prelude",
    "parts/place",
    "parts/kin",
    "parts/dedup",
    "parts/finish",
    "parts/due",
    "parts/others",
    "parts/settle",
    "parts/metrics",
    "settle_kin"
);
pub(crate) static SETTLE_AND_CLAIM_PLAIN: Lazy = script!(
    "deo:settle-and-claim-plain",
    "parts/prelude",
    "parts/no_place",
    "parts/no_kin",
    "parts/no_dedup",
    "parts/finish",
    "parts/no_others",
    "parts/settle",
    "parts/read",
    "parts/no_scan",
    "parts/claim",
    "settle_and_claim"
);
pub(crate) static SETTLE_AND_CLAIM: Lazy = script!(
    "deo:settle-and-claim",
    "parts/prelude",
    "parts/place",
    "parts/no_kin",
    "parts/dedup",
    "parts/finish",
    "parts/due",
    "parts/others",
    "parts/settle",
    "parts/metrics",
    "parts/read",
    "parts/scan",
    "parts/claim",
    "settle_and_claim"
);
pub(crate) static RECOVER: Lazy = script!("deo:recover", "parts/prelude", "parts/place", "recover");
pub(crate) static PAUSE: Lazy = script!("deo:pause", "parts/prelude", "pause");
pub(crate) static RESUME: Lazy = script!("deo:resume", "parts/prelude", "resume");
pub(crate) static REMOVE: Lazy =
    script!("deo:remove", "parts/prelude", "parts/once", "parts/remove", "remove");
pub(crate) static CLEAN: Lazy =
    script!("deo:clean", "parts/prelude", "parts/once", "parts/remove", "clean");
pub(crate) static OBLITERATE: Lazy =
    script!("deo:obliterate", "parts/prelude", "parts/once", "parts/remove", "obliterate");
pub(crate) static RETRY: Lazy =
    script!("deo:retry", "parts/prelude", "parts/once", "parts/place", "parts/revive", "retry");
pub(crate) static PROMOTE: Lazy =
    script!("deo:promote", "parts/prelude", "parts/once", "parts/place", "promote");
pub(crate) static MOVE_TO_WAIT: Lazy = script!(
    "deo:move-to-wait",
    "parts/prelude",
    "parts/once",
    "parts/place",
    "parts/revive",
    "move_to_wait"
);
pub(crate) static SCHEDULE: Lazy = script!(
    "deo:schedule",
    "parts/prelude",
    "parts/once",
    "parts/place",
    "parts/remove",
    "parts/schedule",
    "schedule"
);
pub(crate) static UNSCHEDULE: Lazy =
    script!("deo:unschedule", "parts/prelude", "parts/once", "parts/remove", "unschedule");
pub(crate) static NEXT_ITERATION: Lazy = script!(
    "deo:next-iteration",
    "parts/prelude",
    "parts/place",
    "parts/schedule",
    "next_iteration"
);
pub(crate) static PRIORITIES: Lazy = script!("deo:priorities", "priorities");
pub(crate) static RENEW: Lazy = script!("deo:renew", "renew");

/// The scripts that a plain job's way runs, by name, and how long they are in bytes.
pub fn plain_scripts() -> impl Iterator<Item = (&'static str, usize)> {
    [&ENQUEUE, &CLAIM, &SETTLE_PLAIN, &SETTLE_AND_CLAIM_PLAIN, &RECOVER]
        .into_iter()
        .map(|script| (script.name, script.source.len()))
}

/// The text without comments, indentation, and the spaces and line ends that separate nothing: what
/// the server keeps.
fn bare(text: &str) -> &'static str {
    let mut out = String::with_capacity(text.len());
    let mut comment = false;
    for line in text.lines().map(str::trim) {
        comment |= line.starts_with("--[[");
        if comment {
            comment = !line.ends_with("]]");
        } else if !line.is_empty() && !line.starts_with("--") {
            let ends = (out.chars().next_back(), line.chars().next());
            if matches!(ends, (Some(last), Some(next)) if separates(last, next)) {
                out.push('\n');
            }
            squeeze(line, &mut out);
        }
    }
    out.leak()
}

/// Appends `line` without the spaces that separate nothing.
fn squeeze(line: &str, out: &mut String) {
    let mut quoted = false;
    let mut last = '\n';
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        quoted ^= c == '\'';
        let next = chars.peek().copied().unwrap_or('\n');
        if quoted || c != ' ' || separates(last, next) {
            out.push(c);
            last = c;
        }
    }
}

/// Whether a space must stay between `last` and `next`: without it two words would be one, `1 ..` a
/// malformed number, and `- -` a comment. No line of ours begins with a bracket.
fn separates(last: char, next: char) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    word(last) && word(next) || last.is_ascii_digit() && next == '.' || last == '-' && next == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_plain_jobs_run_stays_small() {
        for (name, bytes) in plain_scripts() {
            println!("{name}: {bytes} bytes");
            assert!(bytes < 8 * 1024, "{name}: {bytes}");
        }
    }

    #[test]
    fn only_what_separates_nothing_is_left_out() {
        let text = "--[[ head\n more ]]\n-- note\nlocal a = 1 .. 'x  = y'\nb = a\n  return { a - -1, b }\n";
        assert_eq!(bare(text), "local a=1 ..'x  = y'b=a\nreturn{a- -1,b}");
    }
}
