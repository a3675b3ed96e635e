//! What there is to read in Redis: who we are there, and how it stands.

use shared::checks::conditions;
use shared::clock::Clock;
use shared::queue::Queue;
use shared::redis::{Command, ErrorKind, Value};

use super::Check;
use crate::queue::{Scan, escaped};

/// The oldest Redis that has every command of ours: GETDEL and ZMSCORE came with it.
const OLDEST: (u32, u32) = (6, 2);

/// How far a clock may be off before it is told, in seconds.
const CLOCK_S: i64 = 30;

/// Pages of keys that are looked through for queues of another prefix.
const PAGES: usize = 10;

/// Commands inside the script by which [`look`] sees whether scripts run.
pub(super) const INSIDE: u64 = 1;

/// Looks, and answers whether Redis can be worked with at all.
pub(super) async fn look(queue: &Queue, checks: &mut Vec<Check>) -> bool {
    let redis = queue.redis();
    let meta = queue_key(queue, "meta");
    let there = redis.call(Command::new("EXISTS").arg(meta.as_str()).replay_safe()).await;
    let there = match there {
        Ok(there) => there.as_int() == Some(1),
        Err(error) => {
            let remedy = match error.kind() {
                ErrorKind::Authorization => {
                    "take the token or the password from the database's page, and the rights from \
                     docs/permissions.md"
                }
                ErrorKind::Quota => "raise the plan's limit, or wait for the next month",
                _ => "check the address and that this machine may reach it",
            };
            checks.push(Check::fail("redis.reach", error.to_string(), remedy));
            return false;
        }
    };
    checks.push(Check::ok("redis.reach", format!("Redis answers over {}", redis.transport())));
    checks.push(prefix(queue, there).await);
    checks.push(scripts(queue).await);
    checks.push(version(queue).await);
    let found = conditions(redis, &queue.options().prefix).await;
    if found.is_empty() {
        checks.push(Check::ok("redis.conditions", "it evicts nothing, and has room"));
    }
    checks.extend(found.iter().map(|finding| Check::of("redis.conditions", finding)));
    checks.extend(clock(queue).await);
    true
}

/// A key of the queue.
pub(super) fn queue_key(queue: &Queue, name: &str) -> String {
    let options = queue.options();
    format!("{}:{}:{name}", options.prefix, options.name)
}

/// Whether the queue is where others have it.
async fn prefix(queue: &Queue, there: bool) -> Check {
    let options = queue.options();
    if there {
        let told = format!("the queue is there, under the prefix `{}`", options.prefix);
        return Check::ok("queue.prefix", told);
    }
    let end = format!(":{}:meta", options.name);
    let scan = Scan::new(queue.redis(), format!("*{}", escaped(&end)));
    // Whoever may not look has no other prefix to be told.
    let found = scan.texts(PAGES).await.unwrap_or_default();
    let mut others: Vec<&str> = found.iter().filter_map(|key| key.strip_suffix(&end)).collect();
    if others.is_empty() {
        let told =
            format!("there is no queue yet; it will be under the prefix `{}`", options.prefix);
        return Check::ok("queue.prefix", told);
    }
    others.sort_unstable();
    let told = format!(
        "there is no queue under the prefix `{}`, and one under `{}`",
        options.prefix,
        others.join("`, `")
    );
    let remedy = "set REDIS_PREFIX to what the Node services give BullMQ as `prefix`, unless this stage is apart";
    Check::warn("queue.prefix", told, remedy)
}

/// Whether we may run scripts: a read-only token may not.
async fn scripts(queue: &Queue) -> Check {
    let script = Command::new("EVAL").args(["return redis.call('EXISTS', KEYS[1])", "1"]);
    let script = script.arg(queue_key(queue, "meta")).replay_safe();
    match queue.redis().call(script).await {
        Ok(_) => Check::ok("redis.rights", "scripts run"),
        Err(error) => Check::fail(
            "redis.rights",
            error.to_string(),
            "take the standard token, not the read-only one; a user of one's own needs the rights of \
             docs/permissions.md",
        ),
    }
}

async fn version(queue: &Queue) -> Check {
    let info = queue.redis().call(Command::new("INFO").arg("server").replay_safe()).await;
    let info = info.ok();
    let info = info.as_ref().and_then(Value::as_str).unwrap_or_default();
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    let Some(version) = version.map(str::trim) else {
        let told = "Redis does not tell its version (INFO)";
        return Check::warn("redis.version", told, "6.2 or newer is needed");
    };
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let parts: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if parts < OLDEST {
        let told = format!("Redis is {version}, which lacks commands that are needed");
        return Check::fail("redis.version", told, "use 6.2 or newer; 7 is tried");
    }
    Check::ok("redis.version", format!("Redis is {version}"))
}

/// This machine's clock beside that of Redis. Whoever may not ask is not told.
async fn clock(queue: &Queue) -> Option<Check> {
    let time = queue.redis().call(Command::new("TIME").replay_safe()).await.ok()?;
    let seconds: i64 = time.as_array()?.first()?.as_str()?.parse().ok()?;
    let off = Clock::System.now_ms() / 1_000 - seconds;
    if off.abs() <= CLOCK_S {
        return Some(Check::ok("clock", "this machine's clock agrees with that of Redis"));
    }
    let told = format!("this machine's clock is {off} s off that of Redis");
    Some(Check::warn("clock", told, "let it be set by a time server: jobs fall due by it"))
}
