//! Variables that nobody reads, and whose names are nearly those of ours.

use super::{Finding, Severity};
use crate::config::{ALIASES, Env, VARIABLES};

/// What others set that looks like ours.
const OTHERS: [&str; 3] = ["DEO_REDIS", "DEO_POSTGRES", "QSTASH_URL"];

/// From so many letters on two of them may be wrong; in a shorter name only one.
const LONG: usize = 12;

/// Returns a warning for each variable whose name is a slip of the pen away from one of ours: a misspelt one is
/// not read, and nothing else tells of it. Values are not looked at.
pub fn misspelt(env: &dyn Env) -> Vec<Finding> {
    let ours = || VARIABLES.iter().chain(&ALIASES).map(|variable| variable.name);
    let mut names = env.names();
    names.sort_unstable();
    names.retain(|name| ours().all(|known| known != name) && !OTHERS.contains(&&**name));
    let near = names.into_iter().filter_map(|name| {
        let upper = name.to_ascii_uppercase();
        let meant = ours().map(|known| (strsim::osa_distance(&upper, known), known)).min()?;
        let (slips, meant) = meant;
        let most = if upper.len().min(meant.len()) >= LONG { 2 } else { 1 };
        (slips <= most).then(|| {
            let wrong = format!("is not read, and is nearly called `{meant}`");
            Finding::new(Severity::Warning, name, wrong, "if that is meant, rename it")
        })
    });
    near.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn found(name: &str) -> Vec<String> {
        let env = BTreeMap::from([(name.to_owned(), "canary".to_owned())]);
        misspelt(&env).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_what_was_meant() {
        assert_eq!(
            found("ENABLE_CRN"),
            [
                "ENABLE_CRN is not read, and is nearly called `ENABLE_CRON`: if that is meant, rename it."
            ]
        );
        for (name, meant) in [
            ("ENABLE_CORN", "ENABLE_CRON"),
            ("REDIS_URI", "REDIS_URL"),
            ("redis_url", "REDIS_URL"),
            ("REDIS-PREFIX", "REDIS_PREFIX"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("JWT_SECRT", "JWT_SECRET"),
            ("UPSTASH_REDIS_REST_TOKN", "UPSTASH_REDIS_REST_TOKEN"),
            ("UPSTASH_REDIS_RESTURL", "UPSTASH_REDIS_REST_URL"),
            ("KV_REST_API_TOKENS", "KV_REST_API_TOKEN"),
            ("QUEUE_BACTHSIZE", "QUEUE_BATCH_SIZE"),
            ("ENABLE_QUEUE_PROCESSOR", "ENABLE_QUEUE_PROCESSORS"),
        ] {
            let told = found(name);
            assert_eq!(told.len(), 1, "{name}");
            assert!(
                told[0].contains(&format!("`{meant}`")) && !told[0].contains("canary"),
                "{told:?}"
            );
        }
    }

    #[test]
    fn other_programs_variables_are_left_alone() {
        for name in [
            "PATH",
            "HOME",
            "REDIS_DB",
            "REDIS_HOST",
            "REDIS_PORT",
            "REDIS_TLS_URL",
            "DATABASE_DB",
            "DATABASE_HOST",
            "DATABASE_USER",
            "DIRECT_DATABASE_URL",
            "JWT_EXPIRES_IN",
            "QSTASH_URL",
            "QSTASH_CURRENT_SIGNING_KEY",
            "KV_URL",
            "KV_REST_API_READ_ONLY_TOKEN",
            "AWS_REGION",
            "AWS_LAMBDA_LOG_LEVEL",
            "RUST_LOG",
            "DEO_REDIS",
            "DEO_POSTGRES",
            "NODE_ENV",
            "CRON_SECRET",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "LOG_LEVEL",
            "QUEUE_URL",
            "ENABLE_CRON",
            "KV_REST_API_URL",
        ] {
            assert_eq!(found(name), [""; 0]);
        }
        // Each of ours is called what it is called.
        assert!(VARIABLES.iter().all(|variable| found(variable.name).is_empty()));
    }
}
