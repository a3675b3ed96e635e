//! What may be wrong with the settings, and with the Redis that they lead to: one list of [`Finding`]s for
//! whoever starts something, shows the settings or looks after a queue.
//!
//! - [`settings`] checks everything that the environment says, and [`misspelt`] only finds names that were
//!   nearly ours. Neither connects to anything.
//! - [`conditions`] asks Redis, for one command or two.
//!
//! A function finds out by itself what is wrong with its settings, since it does not start
//! ([`Config::from_env`](crate::config::Config::from_env)), and logs what is misspelt. It does not ask for
//! conditions: those would be billed commands at each start of an environment, thousands a month, for an answer that
//! hardly ever changes. Whoever runs for long asks once (`deo worker`, `deo up`), and so does a person who looks
//! (`deo queue stats`).

mod masked;
mod names;
mod server;

use masked::Masked;
pub use names::misspelt;
pub use server::{CONDITIONS, conditions};

use crate::config::{ALIASES, Config, Env, SnapshotRetention, VARIABLES, spelling};
pub use crate::config::{Finding, Severity};
use crate::drops::{self, DropsError};
use crate::queue::Queue;
use crate::recompute::StartError;
use crate::store::Database;
use crate::wake::Wake;

/// How far back the platform's Insights look: days.
const INSIGHTS_DAYS: u32 = 31;

/// Checks every setting: how it is written, what it says, and whether the addresses can be used. Connects to
/// nothing; certificates that are in a file are read. What keeps a function from starting comes first.
pub fn settings(env: &dyn Env) -> Vec<Finding> {
    let set = VARIABLES.iter().chain(&ALIASES).filter_map(|variable| {
        let value = env.get(variable.name).filter(|value| !value.is_empty())?;
        spelling(variable, &value)
    });
    let mut findings: Vec<Finding> = set.collect();
    let mut masked = Masked::new(env);
    if let Some(config) = masked.read(&mut findings) {
        let more =
            addresses(&config).chain(secrets(&config)).chain(retention(config.drain.snapshots));
        findings.extend(more.filter(|finding| !masked.is_of_masked(finding)));
    }
    findings.extend(misspelt(env));
    findings
}

/// What a program that runs for long says once, at its start: what is misspelt in the environment, and the
/// [`conditions`] of the Redis of its queue.
pub async fn at_start(env: &dyn Env, queue: &Queue) -> Vec<Finding> {
    let mut findings = misspelt(env);
    findings.extend(conditions(queue.redis(), &queue.options().prefix).await);
    findings
}

/// Addresses that cannot be used, and certificates that cannot be read.
fn addresses(config: &Config) -> impl Iterator<Item = Finding> {
    let told = |error: String| Finding::of_sentence(Severity::Error, &error);
    let redis = config.redis_client().err().map(|error| told(error.to_string()));
    let database = Database::configured(config).err().map(|error| told(error.to_string()));
    let wake = Wake::new(&config.wake).err().map(|error| told(error.to_string()));
    let drops = drops::check(&config.drops).err().map(|error| {
        let severity = match error {
            DropsError::Wrong(_) => Severity::Error,
            // The API has no target, and at a stage Lambda sets what AWS asks for.
            DropsError::Elsewhere(_) => Severity::Warning,
        };
        Finding::of_sentence(severity, &error.to_string())
    });
    [redis, database, wake, drops].into_iter().flatten()
}

/// Secrets without which an address is of no use.
fn secrets(config: &Config) -> impl Iterator<Item = Finding> {
    let is_posted = !config.forward.queues.is_empty() && config.forward.secrets.is_none();
    let posted = is_posted
        .then(|| Finding::of_sentence(Severity::Error, &StartError::NoHttpSecret.to_string()));
    let is_refused = config.wake.url.is_some() && config.wake.token.is_none();
    let refused = is_refused.then(|| {
        let wrong = "is not set, though DRAIN_WAKE_URL is";
        let remedy = "set it too, since the drain refuses to be woken without it";
        Finding::new(Severity::Warning, "DRAIN_WAKE_TOKEN", wrong, remedy)
    });
    posted.into_iter().chain(refused)
}

/// Returns a warning where snapshots may go that the platform's Insights compare with.
fn retention(snapshots: SnapshotRetention) -> Option<Finding> {
    let wrong = match snapshots {
        SnapshotRetention::Newest(count) if count < INSIGHTS_DAYS => {
            "may leave no snapshot of 31 days ago, which the platform's Insights compare with"
        }
        SnapshotRetention::WeeklyAfterDays(days) if days < INSIGHTS_DAYS => {
            "leaves one snapshot a week of 31 days ago, so that the platform's Insights compare with one up to a \
             week older"
        }
        _ => return None,
    };
    let (about, remedy) = ("SNAPSHOT_RETENTION", "use `all`, or a number of at least 31");
    Some(Finding::new(Severity::Warning, about, wrong, remedy))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Vec<(Severity, String)> {
        let env: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        settings(&env).into_iter().map(|it| (it.severity, it.about)).collect()
    }

    #[test]
    fn all_that_is_wrong_is_found_at_once() {
        let error = |name: &str| (Severity::Error, name.to_owned());
        let warning = |name: &str| (Severity::Warning, name.to_owned());
        assert_eq!(found(&[]), []);
        for (retention, expected) in [
            ("all", vec![]),
            ("newest:31", vec![]),
            ("newest:30", vec![warning("SNAPSHOT_RETENTION")]),
            ("weekly-after:30", vec![warning("SNAPSHOT_RETENTION")]),
            ("weekly-after:31", vec![]),
        ] {
            assert_eq!(found(&[("SNAPSHOT_RETENTION", retention)]), expected, "{retention}");
        }
        assert_eq!(found(&[("REDIS_URL", "redis://127.0.0.1"), ("REDIS_PREFIX", "bull")]), []);
        assert_eq!(
            found(&[
                ("REDIS_PREFIX", "'bull'"),
                ("JWT_SECRET", "x\n"),
                ("ENABLE_CRN", "true"),
                ("KV_REST_API_TOKEN", " x"),
            ]),
            [
                error("REDIS_PREFIX"),
                error("JWT_SECRET"),
                error("KV_REST_API_TOKEN"),
                error("KV_REST_API_URL"),
                warning("ENABLE_CRN"),
            ]
        );
        let addresses = [
            ("REDIS_URL", "rediss://:canary@h/one"),
            ("DATABASE_URL", "postgres://u:can#ary@h/d"),
            ("DRAIN_WAKE_URL", "http://x.example/canary"),
            ("DRAIN_WAKE_TOKEN", "canary"),
        ];
        let names = ["REDIS_URL", "DATABASE_URL", "DRAIN_WAKE_URL"];
        assert_eq!(found(&addresses), names.map(error));
        assert_eq!(
            found(&[("REDIS_URL", "redis://[::1]"), ("REDIS_CA", "/no/file")]),
            [error("REDIS_CA")]
        );
        let points = ("DROP_EVENTS_POINTS", "10");
        assert_eq!(found(&[points]), [warning("DROP_EVENTS_POINTS")], "as the API has it");
        let url = ("DROP_EVENTS_URL", "http://x.example/canary");
        assert_eq!(found(&[points, url]), [error("DROP_EVENTS_SECRET")]);
        let secret = ("DROP_EVENTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(found(&[points, url, secret]), [error("DROP_EVENTS_URL")]);
        let bus = ("DROP_EVENTS_BUS", "default");
        assert_eq!(found(&[points, url, bus]), [error("DROP_EVENTS_URL")]);
        assert_eq!(found(&[points, bus]), [warning("DROP_EVENTS_BUS")], "as Lambda makes it whole");
        let region = ("AWS_REGION", "eu-central-1");
        assert_eq!(found(&[points, bus, region]), [warning("DROP_EVENTS_BUS")]);
        let (id, key) = (("AWS_ACCESS_KEY_ID", "canary"), ("AWS_SECRET_ACCESS_KEY", "canary"));
        assert_eq!(found(&[points, bus, region, id, key]), []);
        let region = ("AWS_REGION", "canary x");
        assert_eq!(found(&[points, bus, region, id, key]), [error("AWS_REGION")]);
        let database = ("DATABASE_URL", "postgres://u:p@h/d");
        assert_eq!(found(&[database, ("DATABASE_CA", "/no/file")]), [error("DATABASE_CA")]);
    }
}
