//! The state of the Redis behind the queue, as far as it tells.

use std::time::Duration;

use tokio::time::Instant;

use super::{Finding, Severity};
use crate::redis::{Command, Redis, Value};

/// How many commands [`conditions`] takes at most.
pub const CONDITIONS: u64 = 2;

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// From so full on it is told, in percent.
const NEARLY_FULL: u64 = 90;

/// What a finding is about.
const ABOUT: &str = "Redis";

/// Asks Redis how it stands: one command (INFO), and over TCP a second one (CONFIG GET) where that says nothing of
/// what happens to keys when it is full; Upstash's REST API has no CONFIG. What is not answered, as by a user who may ask neither, is passed over: that
/// Redis cannot be reached is told by whoever works with it.
///
/// `prefix` is what the keys of all queues begin with.
pub async fn conditions(redis: &Redis, prefix: &str) -> Vec<Finding> {
    let redis = redis.until(Instant::now() + PATIENCE);
    let info = redis.call(Command::new("INFO").replay_safe()).await.ok();
    let info = info.as_ref().and_then(Value::as_str).unwrap_or_default();
    let policy = match field(info, "maxmemory_policy") {
        Some(policy) => Some(policy.to_owned()),
        None if redis.transport() == "rest" => None,
        None => {
            let get = Command::new("CONFIG").arg("GET").arg("maxmemory-policy").replay_safe();
            let answer = redis.call(get).await.ok();
            let pair = answer.as_ref().and_then(Value::as_array);
            pair.and_then(|pair| pair.get(1)?.as_str()).map(str::to_owned)
        }
    };
    told(info, policy.as_deref(), prefix)
}

fn told(info: &str, policy: Option<&str>, prefix: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, wrong: String, remedy: &str| {
        findings.push(Finding::new(severity, ABOUT, wrong, remedy));
    };
    if let Some(policy) = policy.filter(|policy| *policy != "noeviction") {
        let wrong = format!(
            "deletes keys when it is full (its eviction policy is `{policy}`), and jobs with them"
        );
        add(
            Severity::Warning,
            wrong,
            "set `maxmemory-policy` to `noeviction`; at Upstash, switch eviction off",
        );
    }
    if field(info, "cluster_enabled") == Some("1") && !has_hash_tag(prefix) {
        let wrong = "is in cluster mode, where all keys of a queue must be in one slot";
        let remedy = "put a hash tag into REDIS_PREFIX of every peer, as `{engineo}`; one shard is used then, and \
                      no other";
        add(Severity::Error, wrong.to_owned(), remedy);
    }
    if field(info, "role") == Some("slave") {
        let wrong = "is a replica, which takes no writes";
        add(Severity::Error, wrong.to_owned(), "let REDIS_URL lead to the primary");
    }
    let number = |name| field(info, name)?.parse::<u64>().ok();
    if let (Some(used), Some(most @ 1..)) = (number("used_memory"), number("maxmemory"))
        && used.saturating_mul(100) / most >= NEARLY_FULL
    {
        let how = if used > most { "holds more than it may" } else { "is nearly full" };
        let wrong = format!("{how} ({used} of {most} bytes)");
        let remedy =
            "keep fewer jobs (QUEUE_KEEP_COMPLETED, QUEUE_KEEP_FAILED), or raise `maxmemory`";
        add(Severity::Warning, wrong, remedy);
    }
    findings
}

/// A field of INFO's answer.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

/// Whether Redis takes the slot of a key from what stands in braces in its prefix.
fn has_hash_tag(prefix: &str) -> bool {
    let tagged = prefix.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    tagged.is_some_and(|(tag, _)| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1000\r\nmaxmemory:0\r\n\
                           maxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\n# Cluster\r\n\
                           cluster_enabled:0\r\n";

    fn sentences(info: &str, prefix: &str) -> Vec<String> {
        let found = told(info, field(info, "maxmemory_policy"), prefix);
        found.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_healthy_server_is_no_news() {
        assert_eq!(sentences(HEALTHY, "engineo"), [""; 0]);
        assert_eq!(sentences("", "engineo"), [""; 0]);
        assert_eq!(sentences("maxmemory_policy:\r\nused_memory:x", "engineo"), [""; 0]);
    }

    #[test]
    fn each_condition_has_its_sentence() {
        for (from, to, says) in [
            ("noeviction", "allkeys-lru", "(its eviction policy is `allkeys-lru`)"),
            ("role:master", "role:slave", "is a replica"),
            ("cluster_enabled:0", "cluster_enabled:1", "hash tag into REDIS_PREFIX"),
            ("maxmemory:0", "maxmemory:1111", "is nearly full (1000 of 1111 bytes)"),
            ("maxmemory:0", "maxmemory:1000", "is nearly full (1000 of 1000 bytes)"),
            ("maxmemory:0", "maxmemory:999", "holds more than it may (1000 of 999 bytes)"),
        ] {
            let told = sentences(&HEALTHY.replace(from, to), "engineo");
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with("Redis ") && told[0].contains(says), "{told:?}");
        }
        assert_eq!(
            sentences(&HEALTHY.replace("maxmemory:0", "maxmemory:1112"), "engineo"),
            [""; 0]
        );
    }

    #[test]
    fn a_hash_tag_is_what_redis_takes_for_one() {
        let cluster = HEALTHY.replace("cluster_enabled:0", "cluster_enabled:1");
        for (prefix, tagged) in [
            ("{engineo}", true),
            ("a:{b}c", true),
            ("{}a", false),
            ("}{", false),
            ("{a", false),
            ("a", false),
        ] {
            assert_eq!(sentences(&cluster, prefix).is_empty(), tagged, "{prefix}");
        }
    }
}
