//! Every key that a script looks at, of every type that it is not.

use std::collections::BTreeSet;

use super::harness::{Bench, Dump, Lift, Scenario, Tally, probe, traced};
use super::{Suite, every_scenario, report};

/// By type, how a key of it is made.
const TYPES: [(&str, &str); 6] = [
    ("string", "SET @ junk"),
    ("list", "RPUSH @ junk"),
    ("set", "SADD @ junk"),
    ("zset", "ZADD @ 1 junk"),
    ("hash", "HSET @ name junk"),
    ("stream", "XADD @ * x x"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_is_lost_whatever_stands_where_a_key_should_be() {
    let tally = every_scenario(Suite::Keys, 4).await;
    report(format_args!("every key of every other type: {tally}"));
    assert!(tally.is_clean(), "every key of every other type: {tally}");
}

pub(crate) async fn attempt(bench: &mut Bench, scenario: &Scenario, tally: &mut Tally) {
    let commands = traced(bench, scenario).await;
    let words = commands.iter().flat_map(|words| &words[1..]);
    // A receipt is a call's own: its name is a random one.
    let keys = words.filter(|word| word.starts_with("t:") && !word.contains(":batchmq:receipt-"));
    let keys: BTreeSet<&String> = keys.collect();
    for key in keys {
        for (kind, line) in TYPES.iter().filter(|(kind, _)| *kind != own_type(key)) {
            bench.restore().await;
            bench.raw(&["DEL".to_owned(), key.clone()]).await;
            let words: Vec<String> = line.split(' ').map(|word| word.replace('@', key)).collect();
            bench.raw(&words).await;
            let before = Dump::of(&mut bench.work).await;
            let lift = Lift::Delete(key.clone());
            let found = probe(bench, scenario, &before, None, None, lift).await;
            tally.add(scenario, &format!("{key} is a {kind}"), found);
        }
    }
}

/// The type that BullMQ gives a key.
fn own_type(key: &str) -> &'static str {
    let name = key.trim_start_matches("t:").split_once(':').map_or(key, |(_, name)| name);
    let last = name.rsplit(':').next().unwrap_or_default();
    match (name, last) {
        ("wait" | "paused" | "active", _) => "list",
        ("prioritized" | "delayed" | "waiting-children" | "completed" | "failed", _) => "zset",
        ("marker" | "repeat", _) => "zset",
        ("stalled", _) => "set",
        ("pc" | "id" | "limiter" | "stalled-check", _) => "string",
        ("events", _) => "stream",
        (_, "data" | "logs") => "list",
        (_, "lock") => "string",
        (_, "dependencies") => "set",
        (_, "unsuccessful") => "zset",
        _ if name.starts_with("de:") => "string",
        _ => "hash",
    }
}
