//! Takes any text for settings: an error names a variable, no secret is shown, and what is taken is taken again from
//! what it was resolved to.
//!
//! Each line is `NAME=value`; `\n` in a value is a line end, and each `~` stands for something secret.

use std::collections::{BTreeMap, BTreeSet};

use api::Api;
use shared::config::{Config, Kind, VARIABLES, Variable};
use shared::http::Secrets;
use shared::redis::Secret;
use shared::store::Database;

use crate::expand::expand;

/// What must not be shown.
const CANARY: &str = "Zq7canaryX";

/// Reads `input` as an environment.
pub fn settings(input: &[u8]) {
    let input = expand(input);
    // No environment holds a NUL. And a fuzzer learns what is compared with, and may put it where nothing is secret:
    // what stands for it has no letter of it, so that no two halves come together.
    let text = String::from_utf8_lossy(&input).replace('\0', "").replace(CANARY, "-");
    let mut env = BTreeMap::new();
    for line in text.lines() {
        let Some((variable, value)) = variable(line) else { continue };
        let value = value.replace("\\n", "\n");
        let value = if is_secret(variable) { with_secrets(variable, &value) } else { value };
        env.insert(variable.name.to_owned(), value);
    }
    let _ = Secrets::parse(&text).map_err(|error| hides(&error.to_string()));
    match Config::from_env(&env) {
        Err(error) => {
            let error = error.to_string();
            hides(&error);
            assert!(names_one(&error), "names no variable: {error}");
        }
        Ok(config) => {
            let hosts = hosts(&env);
            let shown = format!("{} {config:?}", config.summary());
            if !hosts.iter().any(|host| host.contains(&CANARY.to_ascii_lowercase())) {
                hides(&shown);
            }
            same_again(&config);
            starts(&config);
        }
    }
}

/// The variable of a line: by its name, or for other lines any.
fn variable(line: &str) -> Option<(&'static Variable, &str)> {
    if let Some((name, value)) = line.split_once('=')
        && let Some(variable) = VARIABLES.iter().find(|variable| variable.name == name)
    {
        return Some((variable, value));
    }
    let first = line.chars().next()?;
    Some((VARIABLES[first as usize % VARIABLES.len()], &line[first.len_utf8()..]))
}

/// Whether its value, or a part of it, is nobody's business.
fn is_secret(variable: &Variable) -> bool {
    variable.secret || matches!(variable.kind, Kind::Url(_) | Kind::Queues | Kind::Signing)
}

/// A value with the secrets that it stands for. A queue's name is none, which is all in front of the first colon or
/// sign of equality.
fn with_secrets(variable: &Variable, value: &str) -> String {
    if !matches!(variable.kind, Kind::Queues) {
        return value.replace('~', CANARY);
    }
    let queue = |queue: &str| {
        let (name, rest) = queue.split_at(queue.find([':', '=']).unwrap_or(queue.len()));
        format!("{name}{}", rest.replace('~', CANARY))
    };
    value.split(',').map(queue).collect::<Vec<_>>().join(",")
}

#[track_caller]
fn hides(text: &str) {
    assert!(!text.contains(CANARY), "shows a secret: {text}");
}

fn names_one(text: &str) -> bool {
    VARIABLES.iter().any(|variable| text.contains(variable.name))
}

/// The hosts of all URLs, in lower case: a host is shown. One slash is as good as two.
fn hosts(env: &BTreeMap<String, String>) -> BTreeSet<String> {
    let host = |after: &str| {
        let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default().to_lowercase()
    };
    let hosts = |value: &String| -> Vec<String> {
        let after = |(at, _)| value[at + 1..].trim_start_matches(['/', '\\']);
        value.match_indices(":/").map(after).map(host).collect()
    };
    env.values().flat_map(hosts).collect()
}

/// What is in force, where that is no secret, can be set as it is shown, and then is in force again.
fn same_again(config: &Config) {
    let summary = config.summary();
    let is_plain = |name: &str| {
        VARIABLES.iter().any(|variable| variable.name == name && !is_secret(variable))
            // They say how the server is reached, of which the rest is not shown.
            && !["REDIS_TRANSPORT", "REDIS_ALLOW_PLAINTEXT"].contains(&name)
    };
    let shown = |summary: &shared::config::Summary| -> BTreeMap<String, String> {
        let plain = summary.iter().filter(|(name, value)| is_plain(name) && *value != "not set");
        plain.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let shown_before = shown(&summary);
    let again = Config::from_env(&shown_before).expect("what is in force can be set");
    assert_eq!(shown(&again.summary()), shown_before);
}

/// What the functions do with it at their start, which opens no connection.
fn starts(config: &Config) {
    match config.redis_client() {
        Ok(_) => {}
        Err(error) => {
            let error = error.to_string();
            hides(&error);
            assert!(names_one(&error), "names no variable: {error}");
        }
    }
    // A file that it names is not looked for.
    let url = config.database_url.as_ref().filter(|url| !url.expose().contains("sslrootcert"));
    if let Some(Err(error)) = url.map(Database::parse) {
        let error = error.to_string();
        hides(&error);
        assert!(names_one(&error), "names no variable: {error}");
    }
    if url.is_some()
        && let Err(error) = Api::new(config)
    {
        hides(&error.to_string());
    }
    hides(&format!("{:?}", Secret::new(CANARY)));
}
