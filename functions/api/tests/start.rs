//! What the function says when it cannot start.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;
use shared::config::VARIABLES;

fn start(settings: &[(&str, &str)]) -> String {
    let mut function = Command::new(env!("CARGO_BIN_EXE_api"));
    for variable in VARIABLES {
        function.env_remove(variable.name);
    }
    let output = function.envs(settings.iter().copied()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_bad_setting_is_one_sentence_in_the_log() {
    let log = start(&[("QUEUE_BATCH_SIZE", "many"), ("AWS_LAMBDA_LOG_FORMAT", "JSON")]);
    let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(
        line["fields"]["error"],
        "QUEUE_BATCH_SIZE is \"many\", but it takes a whole number from 1 to 1000."
    );
}

#[test]
fn what_is_misspelt_is_logged_beside_what_keeps_it_from_starting() {
    let log = start(&[("ENABLE_CRN", "hidden"), ("REDIS_URL", "redis://:can#not@h")]);
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["level"], "WARN");
    assert_eq!(
        lines[0]["fields"]["message"],
        "ENABLE_CRN is not read, and is nearly called `ENABLE_CRON`: if that is meant, rename it."
    );
    let error = lines.last().unwrap()["fields"]["error"].as_str().unwrap();
    assert!(error.starts_with("REDIS_URL has a raw `#` in its password"), "{error}");
    assert!(!log.contains("hidden") && !log.contains("can#"), "{log}");
}

#[test]
fn a_redis_that_must_not_be_used_is_told_without_its_password() {
    let log = start(&[("REDIS_URL", "redis://default:hidden@redis.example:6379")]);
    assert!(log.contains("REDIS_ALLOW_PLAINTEXT"), "{log}");
    assert!(!log.contains("hidden"), "{log}");
}
