//! `deo config`: what is wrong is told, as the functions tell it at their start.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Output;

use crate::process::{deo, json, open_folder};

const REST: (&str, &str) = ("UPSTASH_REDIS_REST_URL", "https://x.upstash.io");
const TOKEN: (&str, &str) = ("UPSTASH_REDIS_REST_TOKEN", "AXcanary==");

fn config(settings: &[(&str, &str)]) -> Output {
    let folder = open_folder();
    let mut command = deo(folder.path());
    command.args(["config", "--json"]).envs(settings.iter().copied()).output().unwrap()
}

#[test]
fn every_address_that_a_function_would_not_start_with_is_told_without_a_secret() {
    for (settings, told) in [
        (
            &[("UPSTASH_REDIS_REST_URL", TOKEN.1), ("UPSTASH_REDIS_REST_TOKEN", REST.1)][..],
            "UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are swapped",
        ),
        (&[REST, ("UPSTASH_REDIS_REST_TOKEN", REST.1)], "UPSTASH_REDIS_REST_TOKEN holds a URL"),
        (
            &[REST, ("UPSTASH_REDIS_REST_TOKEN", "AX canary")],
            "UPSTASH_REDIS_REST_TOKEN holds white space",
        ),
        (
            &[("UPSTASH_REDIS_REST_URL", "rediss://:canary@x.upstash.io:6379"), TOKEN],
            "UPSTASH_REDIS_REST_URL is a redis:// or rediss:// URL",
        ),
        (
            &[("UPSTASH_REDIS_REST_URL", "http://x.example"), TOKEN],
            "UPSTASH_REDIS_REST_URL is http:// to another machine",
        ),
        (&[("REDIS_URL", "redis://:canary@x.example")], "REDIS_URL is redis:// to another machine"),
        (&[("REDIS_URL", "rediss://:canary@x.example/one")], "REDIS_URL has a database"),
        (
            &[("REDIS_URL", "rediss://:can#ary@x.example")],
            "REDIS_URL has a raw `#` in its password",
        ),
        (
            &[("DATABASE_URL", "postgres://u:can/ary@db.example/x")],
            "DATABASE_URL has a raw `/` in its password",
        ),
        (
            &[("DATABASE_URL", "psql 'postgres://u:canary@db.example/x'")],
            "DATABASE_URL holds a command (`psql …`)",
        ),
        (
            &[("REDIS_URL", "rediss://x.example"), ("REDIS_CA", "/canary.pem")],
            "REDIS_CA cannot be read as PEM certificates",
        ),
        (&[("DATABASE_URL", "postgres://u:canary@db.example:port/x")], "DATABASE_URL"),
        (
            &[("DRAIN_WAKE_URL", "http://x.example/?canary"), ("DRAIN_WAKE_TOKEN", "canary")],
            "DRAIN_WAKE_URL must start with https://",
        ),
    ] {
        let output = config(settings);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}: {errors}");
        assert!(errors.starts_with(&format!("deo: {told}")), "{errors}");
        assert_eq!(errors.trim().lines().count(), 1, "{errors}");
        assert!(!errors.contains("canary") && output.stdout.is_empty(), "{errors}");
    }
}

#[test]
fn what_can_be_used_is_shown_without_a_secret() {
    let output = config(&[
        REST,
        TOKEN,
        ("DATABASE_URL", "postgres://u:canary@db.example/x?sslmode=require"),
        ("DRAIN_WAKE_URL", "https://x.example/?canary"),
    ]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("canary"));
    let shown = json(&output);
    assert_eq!(shown["UPSTASH_REDIS_REST_URL"], "https://x.upstash.io");
    assert_eq!(shown["UPSTASH_REDIS_REST_TOKEN"], "set");
    assert_eq!(shown["DATABASE_URL"], "postgres://db.example");
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_what_is_misspelt_with_it() {
    let output = config(&[
        ("REDIS_PREFIX", "\"engineo\""),
        ("JWT_SECRET", "canary\n"),
        ("REDIS_URL", "redis-cli -u redis://default:canary@h:6379"),
        ("ENABLE_CRN", "canary"),
    ]);
    refuses(
        output,
        &[
            "ENABLE_CRN is not read",
            "deo: REDIS_URL holds a command",
            "deo: REDIS_PREFIX has",
            "deo: JWT_SECRET has",
        ],
    );
}

/// Panics unless nothing but these lines is said, as they begin, and no secret.
fn refuses(output: Output, told: &[&str]) {
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), told.len(), "{errors}");
    for (line, told) in errors.lines().zip(told) {
        assert!(line.starts_with(told), "{errors}");
    }
    assert!(!errors.contains("canary") && output.stdout.is_empty(), "{errors}");
}

/// What is of the wrong kind is told as completely as what is written wrong, and so are the rules between variables.
#[test]
fn all_values_that_cannot_be_used_are_told_at_once() {
    let output = config(&[
        ("QUEUE_BATCH_SIZE", "5000"),
        ("ENABLE_CRON", "ja"),
        ("QUEUE_ATTEMPTS", "0"),
        ("JWT_SECRET_PREVIOUS", "canary"),
        ("DATABASE_URL", "postgres://u:can#ary@db.example/x"),
    ]);
    refuses(
        output,
        &[
            "deo: QUEUE_ATTEMPTS is \"0\"",
            "deo: QUEUE_BATCH_SIZE is \"5000\"",
            "deo: ENABLE_CRON is \"ja\"",
            "deo: JWT_SECRET is not set",
            "deo: DATABASE_URL has a raw",
        ],
    );
}

#[test]
fn what_the_drain_would_not_start_with_is_told_and_what_would_not_wake_it() {
    let queues = ("QUEUES", "deo_score_queue,crawl=https://x.example/canary");
    let output = config(&[queues]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("deo: QUEUES has a URL: set QUEUE_HTTP_SECRET"), "{errors}");
    assert!(!errors.contains("canary"), "{errors}");

    let secret = ("QUEUE_HTTP_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let wake = ("DRAIN_WAKE_URL", "https://x.example/canary");
    let output = config(&[queues, secret, wake]);
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{warnings}");
    assert!(warnings.starts_with("DRAIN_WAKE_TOKEN is not set"), "{warnings}");
    assert_eq!(warnings.trim().lines().count(), 1, "{warnings}");
    assert!(config(&[queues, secret, wake, ("DRAIN_WAKE_TOKEN", "x")]).stderr.is_empty());
}

#[test]
fn a_value_that_is_not_utf_8_is_not_taken_for_one_that_is_not_set() {
    let folder = open_folder();
    let mut command = deo(folder.path());
    let output = command.arg("config").env("REDIS_PREFIX", OsStr::from_bytes(b"\xff")).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("deo: REDIS_PREFIX holds bytes that are not UTF-8"), "{errors}");
    assert_eq!(errors.trim().lines().count(), 1, "{errors}");
}

#[test]
fn a_misspelt_variable_is_a_warning_beside_settings_that_can_be_used() {
    let output = config(&[REST, TOKEN, ("DATABSE_URL", "canary")]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        errors,
        "DATABSE_URL is not read, and is nearly called `DATABASE_URL`: if that is meant, rename it.\n"
    );
    assert_eq!(json(&output)["DATABASE_URL"], "not set");
}

#[test]
fn vercel_s_names_are_shown_as_what_they_are_for() {
    let output =
        config(&[("KV_REST_API_URL", "https://kv.upstash.io"), ("KV_REST_API_TOKEN", TOKEN.1)]);
    let shown = json(&output);
    assert_eq!(shown["UPSTASH_REDIS_REST_URL"], "https://kv.upstash.io");
    assert_eq!(shown["UPSTASH_REDIS_REST_TOKEN"], "set");
    assert!(!shown.to_string().contains("canary"));
}
