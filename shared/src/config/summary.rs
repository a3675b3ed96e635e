//! Sums up what was resolved, for the log at start.

use std::fmt;

use super::variables as v;
use super::{Config, Endpoint, Events, Retention, Scope, Secret, ServedQueue};

/// Every variable with the value in force: secrets only as `set` or `not set`, URLs only with
/// their host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary(Vec<(&'static str, String)>);

impl Summary {
    /// Name and value, in the order of the documentation.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            let quote = if value.contains(' ') { "\"" } else { "" };
            write!(f, "{space}{name}={quote}{value}{quote}")?;
        }
        Ok(())
    }
}

impl Config {
    /// The settings in force, with nothing secret in them.
    pub fn summary(&self) -> Summary {
        let unset = || NOT_SET.to_owned();
        let (transport, rest_url, token, redis_url, plaintext) = match &self.redis {
            None => (unset(), unset(), unset(), unset(), unset()),
            Some(Endpoint::Rest { url, allow_plaintext, .. }) => {
                ("rest".to_owned(), host(url), SET.to_owned(), unset(), allow_plaintext.to_string())
            }
            Some(Endpoint::Tcp { url, allow_plaintext }) => (
                "tcp".to_owned(),
                unset(),
                unset(),
                host(url.expose()),
                allow_plaintext.to_string(),
            ),
        };
        let (queue, drain, cron, drops) = (&self.queue, &self.drain, &self.cron, &self.drops);
        let events = match queue.events {
            Events::Off => "false",
            Events::Final => "final",
            Events::All => "true",
        };
        let scope = match cron.scope {
            Scope::Stale => "stale",
            Scope::All => "all",
        };
        let metrics = if self.all_metrics { "all" } else { "basic" };
        let limiter_max = queue.limiter.max.map_or_else(|| "all".to_owned(), |max| max.to_string());
        let posts = self.posts_per_minute.map_or_else(|| "all".to_owned(), |n| n.to_string());
        let origins = if self.origins.is_empty() { unset() } else { self.origins.join(",") };
        let budget = self.budget.commands.map_or_else(|| "all".to_owned(), |n| n.to_string());
        let jobs = &self.jobs;
        let (completed, failed) = (jobs.keep_completed, jobs.keep_failed);
        Summary(vec![
            (v::REST_URL.name, rest_url),
            (v::REST_TOKEN.name, token),
            (v::REDIS_URL.name, redis_url),
            (v::TRANSPORT.name, transport),
            (v::ALLOW_PLAINTEXT.name, plaintext),
            (v::REDIS_CA.name, is_set(&self.redis_ca)),
            (v::PREFIX.name, queue.prefix.clone()),
            (v::DATABASE_URL.name, self.database_url.as_ref().map_or_else(unset, secret_host)),
            (v::DATABASE_CA.name, is_set(&self.database_ca)),
            (v::JWT_SECRET.name, is_set(&self.jwt_secret)),
            (v::PREVIOUS_JWT_SECRET.name, is_set(&self.previous_jwt_secret)),
            (v::POSTS_PER_MINUTE.name, posts),
            (v::CORS_ORIGINS.name, origins),
            (v::QUEUE_OPERATIONS.name, self.queue_operations.to_string()),
            (v::PROCESSORS.name, drain.enabled.to_string()),
            (v::CRON.name, cron.enabled.to_string()),
            (v::EVENTS.name, events.to_owned()),
            (v::SCHEDULERS.name, self.schedulers.to_string()),
            (v::METRICS.name, queue.metrics_minutes.to_string()),
            (v::QUEUES.name, queues(&drain.queues)),
            (v::BATCH_SIZE.name, drain.batch_size.to_string()),
            (v::LANES.name, drain.lanes.to_string()),
            (v::LIMITER_MAX.name, limiter_max),
            (v::LIMITER_DURATION.name, queue.limiter.duration.as_millis().to_string()),
            (v::ATTEMPTS.name, jobs.attempts.to_string()),
            (v::BACKOFF.name, jobs.backoff.as_millis().to_string()),
            (v::BACKOFF_JITTER.name, jobs.backoff_jitter.to_string()),
            (v::LOCK.name, queue.lock.as_millis().to_string()),
            (v::OPEN_DEDUPLICATION.name, queue.open_deduplication.to_string()),
            (v::KEEP_COMPLETED.name, count(completed)),
            (v::KEEP_COMPLETED_SECONDS.name, seconds(completed)),
            (v::KEEP_FAILED.name, count(failed)),
            (v::KEEP_FAILED_SECONDS.name, seconds(failed)),
            (v::DRAIN_TIMEOUT.name, drain.timeout.as_millis().to_string()),
            (v::DRAIN_MARGIN.name, drain.margin.as_millis().to_string()),
            (v::DRAIN_PATIENCE.name, format!("{}m", drain.patience.as_secs() / 60)),
            (v::DRAIN_EVERY.name, drain.every.as_secs().to_string()),
            (v::BUDGET.name, budget),
            (v::BUDGET_SHARE.name, self.budget.share.to_string()),
            (v::WAKE_URL.name, self.wake.url.as_ref().map_or_else(unset, secret_host)),
            (v::WAKE_TOKEN.name, is_set(&self.wake.token)),
            (v::QSTASH_TOKEN.name, is_set(&self.wake.qstash)),
            (v::HTTP_SECRET.name, is_set(&self.forward.secrets)),
            (v::SNAPSHOTS.name, drain.snapshots.to_string()),
            (v::DROP_POINTS.name, drops.points.map_or_else(unset, |points| points.to_string())),
            (v::DROP_URL.name, drops.url.as_ref().map_or_else(unset, secret_host)),
            (v::DROP_SECRET.name, is_set(&drops.secrets)),
            (v::DROP_BUS.name, drops.bus.clone().unwrap_or_else(unset)),
            (v::CRON_SCOPE.name, scope.to_owned()),
            (v::CRON_MAX_AGE.name, cron.max_age_days.to_string()),
            (v::CRON_MAX_WAITING.name, cron.max_waiting.to_string()),
            (v::CLOUDWATCH_METRICS.name, metrics.to_owned()),
        ])
    }
}

const SET: &str = "set";
const NOT_SET: &str = "not set";

fn queues(queues: &[ServedQueue]) -> String {
    queues.iter().map(ServedQueue::to_string).collect::<Vec<_>>().join(",")
}

fn is_set<T>(secret: &Option<T>) -> String {
    if secret.is_some() { SET } else { NOT_SET }.to_owned()
}

fn count(retention: Retention) -> String {
    retention.count.map_or_else(|| "all".to_owned(), |count| count.to_string())
}

fn seconds(retention: Retention) -> String {
    retention.age_s.map_or_else(|| "all".to_owned(), |age| age.to_string())
}

fn secret_host(url: &Secret) -> String {
    host(url.expose())
}

/// The scheme, host and port of a URL: what stands before them (user, password) and after them
/// (path, query) may be secret. Where an `@` behind the host leaves it open where the password
/// ends, or what stands there is no host, as where the next setting was pasted behind it, nothing is shown.
pub(super) fn host(url: &str) -> String {
    // What else stands there is no scheme, and may be anything.
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return SET.to_owned();
    };
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if after.contains('@') {
        return SET.to_owned();
    }
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    if !hosts.split(',').all(is_place) {
        return SET.to_owned();
    }
    format!("{scheme}://{hosts}")
}

/// Whether it is a name or an address, perhaps with a port.
fn is_place(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, ""),
    };
    let is_address = host.strip_prefix('[').is_some_and(|rest| rest.ends_with(']'));
    let fits = |c: char| {
        c.is_alphanumeric() || matches!(c, '.' | '-' | '_') || (is_address && "[]:%".contains(c))
    };
    host.chars().all(fits) && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;
    use crate::config::VARIABLES;

    fn config(pairs: &[(&str, &str)]) -> Config {
        let env: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Config::from_env(&env).unwrap()
    }

    #[test]
    fn names_every_variable_in_the_table_s_order() {
        let summary = config(&[]).summary();
        let names: Vec<&str> = summary.iter().map(|(name, _)| name).collect();
        let table: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        assert_eq!(names, table);
    }

    #[test]
    fn shows_the_default_of_every_variable_that_has_one() {
        let config = config(&[("REDIS_URL", "redis://localhost")]);
        for ((_, value), variable) in config.summary().iter().zip(VARIABLES) {
            if !variable.default.is_empty() {
                assert_eq!(value, variable.default, "{}", variable.name);
            }
        }
    }

    #[test]
    fn shows_hosts_and_no_secret() {
        let rest = config(&[
            ("UPSTASH_REDIS_REST_URL", "https://eu1-fit-cat.upstash.io/"),
            ("UPSTASH_REDIS_REST_TOKEN", "sesame-token"),
            ("DATABASE_URL", "postgresql://user:pa@ss@db.neon.tech:5432/app?sslmode=require"),
            ("JWT_SECRET", "sesame-jwt"),
        ]);
        let text = rest.summary().to_string();
        assert!(text.contains("UPSTASH_REDIS_REST_URL=https://eu1-fit-cat.upstash.io "), "{text}");
        assert!(text.contains("UPSTASH_REDIS_REST_TOKEN=set "), "{text}");
        assert!(text.contains("DATABASE_URL=postgresql://db.neon.tech:5432 "), "{text}");
        assert!(text.contains("JWT_SECRET=set "), "{text}");
        assert!(text.contains("REDIS_URL=\"not set\""), "{text}");
        for hidden in ["sesame", "user", "pa@ss", "word", "sslmode"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }

        let torn = config(&[("DATABASE_URL", "postgres://user:pa/ss@db.neon.tech/app")]);
        assert!(torn.summary().to_string().contains("DATABASE_URL=set "));

        // Two settings on one line.
        let pasted = "postgres://user:word@db.neon.tech:5432JWT_SECRET=sesame-jwt";
        for url in [pasted, "postgres://user:word@db.neon.tech JWT_SECRET=sesame-jwt"] {
            let shown = host(url);
            assert_eq!(shown, SET, "{url}");
        }
        assert_eq!(host("https:sesame/https://"), SET);
        for hosts in [
            "a.example",
            "a-b_c.example:5432,d:1",
            "[::1]:6379",
            "bücher.example",
            "[fe80::1%eth0]",
        ] {
            assert_eq!(host(&format!("postgres://u:p@{hosts}/x")), format!("postgres://{hosts}"));
        }

        let tcp = config(&[("REDIS_URL", "rediss://default:sesame@r.example:6380/0")]);
        let text = format!("{} {tcp:?}", tcp.summary());
        assert!(text.contains("REDIS_URL=rediss://r.example:6380 "), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }

    #[test]
    fn shows_what_is_not_bounded() {
        let text = config(&[("QUEUE_KEEP_FAILED", "all")]).summary().to_string();
        assert!(text.contains("QUEUE_KEEP_FAILED=all "), "{text}");
    }
}
