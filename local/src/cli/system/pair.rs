//! Keeps a private server from being paired with one of a stage.

use shared::config::Env;
use shared::redis::is_loopback;

use crate::Failure;
use crate::settings::given;

/// Checks that a given Redis or Postgres that is on another machine is given with the other one.
///
/// # Errors
/// When a private server would take the other one's place.
pub(super) fn check(env: &impl Env) -> Result<(), Failure> {
    let (redis, postgres) = (given(env, "REDIS_URL"), given(env, "DATABASE_URL"));
    match (redis, postgres) {
        (None, Some(url)) if is_elsewhere(&url) => Err(
            "DATABASE_URL leads to another machine, and REDIS_URL is not set: a private Redis would have its jobs done \
             on that database's rows. Set REDIS_URL to the Redis that belongs to it, or unset DATABASE_URL to have both \
             private"
                .into(),
        ),
        (Some(url), None) if is_elsewhere(&url) => Err(
            "REDIS_URL leads to another machine, and DATABASE_URL is not set: that queue's jobs would fail, since a \
             private Postgres has none of their projects. Set DATABASE_URL to the database that belongs to it, or unset \
             REDIS_URL to have both private"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// Whether a URL leads to another machine; one that cannot be read may.
fn is_elsewhere(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return true };
    let is_named = url.query_pairs().any(|(name, host)| {
        matches!(&*name, "host" | "hostaddr") && !host.starts_with('/') && !is_loopback(&host)
    });
    // Without a host it is a socket of this machine.
    is_named || url.host_str().is_some_and(|host| !host.is_empty() && !is_loopback(host))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> Option<String> {
        let env: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        check(&env).err().map(|error| error.to_string())
    }

    #[test]
    fn a_stage_s_server_is_taken_with_the_other_one_only() {
        let stage_database = ("DATABASE_URL", "postgres://app:canary@db.example/app?schema=public");
        let stage_redis = ("REDIS_URL", "rediss://default:canary@redis.example:6379");
        for (alone, missing) in [(stage_database, "REDIS_URL"), (stage_redis, "DATABASE_URL")] {
            let sentence = refused(&[alone]).unwrap_or_default();
            assert!(sentence.starts_with(alone.0), "{sentence}");
            assert!(sentence.contains(&format!("{missing} is not set")), "{sentence}");
            assert!(!sentence.contains("canary"), "{sentence}");
            assert_eq!(refused(&[alone, (missing, "")]), Some(sentence), "empty is not set");
        }
        assert_eq!(refused(&[stage_database, stage_redis]), None);
        assert_eq!(refused(&[]), None);
        let hosts = ("DATABASE_URL", "postgres://app@one.example,two.example/app");
        assert!(refused(&[hosts]).is_some());
        let socket = ("DATABASE_URL", "postgres:///app?host=db.example");
        assert!(refused(&[socket]).is_some());
    }

    #[test]
    fn a_server_of_this_machine_may_stand_beside_a_private_one() {
        for url in [
            "postgres://u:p@localhost:5432/app",
            "postgres://[::1]/app",
            "postgres:///app?host=/run",
        ] {
            assert_eq!(refused(&[("DATABASE_URL", url)]), None, "{url}");
        }
        assert_eq!(refused(&[("REDIS_URL", "redis://127.0.0.1:6379")]), None);
    }
}
