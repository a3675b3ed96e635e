//! `deo config`: what is wrong is told, as the functions tell it at their start.

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
        (&[("DATABASE_URL", "postgres://u:canary@db.example:port/x")], "DATABASE_URL"),
        (
            &[("DRAIN_WAKE_URL", "http://x.example/?canary")],
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
