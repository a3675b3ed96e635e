#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::config::{ALIASES, VARIABLES};

mod written;

fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let env: BTreeMap<String, String> =
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Config::from_env(&env).map_err(|error| error.to_string())
}

fn error(pairs: &[(&str, &str)]) -> String {
    read(pairs).unwrap_err()
}

const REST: [(&str, &str); 2] =
    [("UPSTASH_REDIS_REST_URL", "https://x.upstash.io/"), ("UPSTASH_REDIS_REST_TOKEN", "AXtoken")];
const TCP: (&str, &str) = ("REDIS_URL", "rediss://default:secret@r.example:6379");

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let config = read(&[]).unwrap();
    assert!(config.redis.is_none() && config.database_url.is_none() && config.jwt_secret.is_none());
    assert!(config.drain.enabled && config.cron.enabled && !config.schedulers);
    let queue = config.queue;
    assert_eq!((queue.prefix.as_str(), queue.name.as_str()), ("engineo", "deo_score_queue"));
    assert_eq!((queue.events, queue.lock.as_secs()), (Events::Off, 85));
    let jobs = config.jobs;
    assert_eq!((config.drain.batch_size, jobs.attempts), (100, 3));
    assert_eq!((jobs.backoff.as_secs(), jobs.backoff_jitter), (5, 1.0));
    assert_eq!(jobs.keep_completed, Retention { age_s: Some(24 * 3600), count: Some(1000) });
    assert_eq!(jobs.keep_failed, Retention { age_s: Some(14 * 24 * 3600), count: Some(5000) });
    assert_eq!((config.drain.timeout.as_secs(), config.drain.margin.as_secs()), (55, 3));
    assert_eq!(config.drain.snapshots, SnapshotRetention::All);
    assert_eq!(config.cron.scope, Scope::Stale);
    assert_eq!((config.cron.max_age_days, config.cron.max_waiting), (7, 100_000));
}

#[test]
fn jitter_is_a_part_of_the_whole() {
    let jitter = |value| read(&[("QUEUE_BACKOFF_JITTER", value)]).map(|c| c.jobs.backoff_jitter);
    assert_eq!([jitter("0"), jitter("0.25"), jitter("1")], [Ok(0.0), Ok(0.25), Ok(1.0)]);
    for wrong in ["-0.1", "1.1", "half", "NaN", "inf", "0,5"] {
        let sentence = jitter(wrong).unwrap_err();
        assert!(sentence.ends_with("but it takes a number from 0 to 1."), "{sentence}");
    }
}

#[test]
fn snapshots_go_by_number_or_by_age() {
    let kept = |value| read(&[("SNAPSHOT_RETENTION", value)]).map(|config| config.drain.snapshots);
    assert_eq!(kept("Newest:30").unwrap(), SnapshotRetention::Newest(30));
    assert_eq!(kept("weekly-after:90").unwrap(), SnapshotRetention::WeeklyAfterDays(90));
    for wrong in ["newest:0", "newest", "newest:-1", "weekly-after:", "90", "none"] {
        let sentence = kept(wrong).unwrap_err().to_string();
        assert!(sentence.starts_with("SNAPSHOT_RETENTION is"), "{sentence}");
    }
}

#[test]
fn every_variable_of_the_table_is_read_and_no_other() {
    struct Recorder(RefCell<BTreeSet<String>>);
    impl Env for Recorder {
        fn get(&self, name: &str) -> Option<String> {
            self.0.borrow_mut().insert(name.to_owned());
            None
        }
    }
    let recorder = Recorder(RefCell::default());
    Config::from_env(&recorder).unwrap();
    let all = VARIABLES.iter().chain(&ALIASES);
    let table: BTreeSet<String> = all.map(|v| v.name.to_owned()).collect();
    assert_eq!(recorder.0.into_inner(), table);
}

#[test]
fn rest_is_chosen_by_its_two_variables_and_loses_its_trailing_slash() {
    let Some(Endpoint::Rest { url, token, allow_plaintext }) = read(&REST).unwrap().redis else {
        panic!("not REST");
    };
    assert_eq!((url.as_str(), token.expose()), ("https://x.upstash.io", "AXtoken"));
    assert!(!allow_plaintext);
}

#[test]
fn transport_decides_when_both_are_set() {
    let is_rest = |transport: &str| {
        let config = read(&[REST[0], REST[1], TCP, ("REDIS_TRANSPORT", transport)]).unwrap();
        matches!(config.redis, Some(Endpoint::Rest { .. }))
    };
    assert!(is_rest("") && is_rest("rest") && is_rest("REST"));
    assert!(!is_rest("tcp"));
    assert_eq!(
        error(&[("REDIS_TRANSPORT", "http")]),
        "REDIS_TRANSPORT is \"http\", but it takes `rest` or `tcp`."
    );
}

#[test]
fn redis_url_alone_chooses_tcp() {
    let config = read(&[TCP, ("REDIS_ALLOW_PLAINTEXT", "1")]).unwrap();
    let Some(Endpoint::Tcp { url, allow_plaintext }) = config.redis else { panic!("not TCP") };
    assert_eq!(url.expose(), TCP.1);
    assert!(allow_plaintext);
}

#[test]
fn a_half_configured_transport_names_what_is_missing() {
    assert_eq!(
        error(&[REST[0]]),
        "UPSTASH_REDIS_REST_TOKEN is not set, though UPSTASH_REDIS_REST_URL is: set it too."
    );
    assert_eq!(
        error(&[REST[1], TCP]),
        "UPSTASH_REDIS_REST_URL is not set, though UPSTASH_REDIS_REST_TOKEN is: set it too."
    );
    assert_eq!(
        error(&[("REDIS_TRANSPORT", "rest"), TCP]),
        "UPSTASH_REDIS_REST_URL is not set, though REDIS_TRANSPORT is rest: set it too."
    );
    assert_eq!(
        error(&[("REDIS_TRANSPORT", "tcp"), REST[0], REST[1]]),
        "REDIS_URL is not set, though REDIS_TRANSPORT is tcp: set it too."
    );
    // A transport that is not used may be half configured.
    assert!(read(&[REST[0], TCP, ("REDIS_TRANSPORT", "tcp")]).is_ok());
}

#[test]
fn an_empty_variable_is_not_set() {
    for variable in VARIABLES {
        let config = read(&[(variable.name, "")]).unwrap();
        assert_eq!(config.summary(), read(&[]).unwrap().summary(), "{}", variable.name);
    }
}

#[test]
fn white_space_in_urls_tokens_and_prefix_is_refused_without_showing_it() {
    for (name, value) in [
        ("UPSTASH_REDIS_REST_URL", "https://x.upstash.io\n"),
        ("UPSTASH_REDIS_REST_TOKEN", " AXtoken"),
        ("REDIS_URL", "rediss://default:se cret@r.example"),
        ("DATABASE_URL", "postgres://u:secret@db.example/x "),
        ("REDIS_PREFIX", "engineo\t"),
    ] {
        let mut pairs = vec![(name, value)];
        if name.starts_with("UPSTASH") {
            pairs.extend(REST.iter().filter(|(other, _)| *other != name));
        }
        assert_eq!(
            error(&pairs),
            format!(
                "{name} holds white space or a line break, perhaps from copying it: remove it."
            )
        );
    }
}

#[test]
fn urls_want_their_scheme_and_never_show_themselves() {
    for (name, value) in [
        ("DATABASE_URL", "mysql://secret"),
        ("DATABASE_URL", "secret"),
        ("DATABASE_URL", "postgres://"),
    ] {
        let refused = error(&[(name, value)]);
        assert!(refused.starts_with(&format!("{name} cannot be used")), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
    let refused = error(&[REST[0], ("UPSTASH_REDIS_REST_TOKEN", "\"AXtoken\"")]);
    assert!(refused.contains("quotation marks") && !refused.contains("AXtoken"), "{refused}");
}

#[test]
fn each_mistake_with_the_rest_variables_has_its_sentence() {
    let (url, token) = ("https://canary-host.upstash.io", "AXcanary==");
    for (url, token, sentence) in [
        (
            token,
            url,
            "UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are swapped: the token holds a URL.",
        ),
        (
            url,
            url,
            "UPSTASH_REDIS_REST_TOKEN holds a URL; copy the token from the database's REST section.",
        ),
        (
            "rediss://default:canary@x.upstash.io:6379",
            token,
            "UPSTASH_REDIS_REST_URL is a redis:// or rediss:// URL, which is for the Redis protocol: \
             put it into REDIS_URL, or use the https:// URL of the REST API.",
        ),
        (
            "http://canary-host.example",
            token,
            "UPSTASH_REDIS_REST_URL is http:// to another machine, which would show the token and \
             the data to the network; use https://, or set REDIS_ALLOW_PLAINTEXT=true in a network \
             you trust.",
        ),
        (
            "canary-host.upstash.io",
            token,
            "UPSTASH_REDIS_REST_URL is not a URL; it looks like https://<name>.upstash.io.",
        ),
        (
            "'https://canary-host.upstash.io'",
            token,
            "UPSTASH_REDIS_REST_URL has quotation marks in it, which count as a part of it: remove them.",
        ),
        (
            "https://x.upstash.io canary",
            token,
            "UPSTASH_REDIS_REST_URL holds white space or a line break, perhaps from copying it: \
             remove it.",
        ),
        (
            url,
            "AX canary",
            "UPSTASH_REDIS_REST_TOKEN holds white space or a line break, perhaps from copying it: \
             remove it.",
        ),
    ] {
        let pairs = [("UPSTASH_REDIS_REST_URL", url), ("UPSTASH_REDIS_REST_TOKEN", token)];
        let refused = error(&pairs);
        assert_eq!(refused, sentence);
        assert!(!refused.contains("canary"), "{refused}");
        // A transport that is not used may be wrong.
        assert!(read(&[pairs[0], pairs[1], TCP, ("REDIS_TRANSPORT", "tcp")]).is_ok());
    }
    for allowed in [
        [("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:8079"), ("REDIS_ALLOW_PLAINTEXT", "0")],
        [("UPSTASH_REDIS_REST_URL", "http://redis.internal"), ("REDIS_ALLOW_PLAINTEXT", "1")],
    ] {
        assert!(read(&[allowed[0], allowed[1], REST[1]]).is_ok(), "{allowed:?}");
    }
}

#[test]
fn each_mistake_with_redis_url_has_its_sentence() {
    for (url, sentence) in [
        (
            "https://canary.upstash.io",
            "REDIS_URL is an http(s):// URL, which is for the REST API: put it into \
             UPSTASH_REDIS_REST_URL, or use the redis:// or rediss:// URL.",
        ),
        ("valkey://canary", "REDIS_URL must start with redis:// or rediss://."),
        (
            "redis://:canary@10.0.0.1:6379",
            "REDIS_URL is redis:// to another machine, which would show the password and the data to \
             the network; use rediss://, or set REDIS_ALLOW_PLAINTEXT=true in a network you trust.",
        ),
        (
            "rediss://:canary@h:1?protocol=resp3",
            "REDIS_URL has options after '?' or '#', which are not supported; remove them.",
        ),
    ] {
        assert_eq!(error(&[("REDIS_URL", url)]), sentence);
        // A transport that is not used may be wrong.
        assert!(read(&[REST[0], REST[1], ("REDIS_URL", url)]).is_ok());
    }
    assert!(read(&[("REDIS_URL", "redis://10.0.0.1"), ("REDIS_ALLOW_PLAINTEXT", "1")]).is_ok());
}

#[test]
fn a_previous_jwt_secret_needs_the_present_one() {
    let both = read(&[("JWT_SECRET", "new"), ("JWT_SECRET_PREVIOUS", "old")]).unwrap();
    assert_eq!(both.previous_jwt_secret.unwrap().expose(), "old");
    let error = error(&[("JWT_SECRET_PREVIOUS", "old")]);
    assert_eq!(error, "JWT_SECRET is not set, though JWT_SECRET_PREVIOUS is: set it too.");
}

#[test]
fn the_jwt_secret_is_taken_as_it_is() {
    let config = read(&[("JWT_SECRET", "a \"b\" 'c\" d")]).unwrap();
    assert_eq!(config.jwt_secret.unwrap().expose(), "a \"b\" 'c\" d");
}

#[test]
fn one_secret_or_two_sign_requests_to_receivers() {
    const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert!(read(&[]).unwrap().forward.secrets.is_none());
    for good in [ONE.to_owned(), format!("{ONE},{ONE}"), format!("{ONE} {ONE}")] {
        let config = read(&[("QUEUE_HTTP_SECRET", &good)]).unwrap();
        assert!(config.forward.secrets.is_some() && config.forward.queues.is_empty());
        let shown = format!("{config:?} {}", config.summary());
        assert!(shown.contains("QUEUE_HTTP_SECRET=set") && !shown.contains("MfKQ"), "{shown}");
    }
    let refused = error(&[("QUEUE_HTTP_SECRET", "sesame")]);
    assert!(refused.starts_with("QUEUE_HTTP_SECRET takes one secret, or two"), "{refused}");
    assert!(!refused.contains("sesame"), "{refused}");
}

#[test]
fn flags_take_four_words_in_any_case() {
    let enabled = |value| read(&[("ENABLE_QUEUE_PROCESSORS", value)]).map(|c| c.drain.enabled);
    for value in ["true", "TRUE", "True", "1"] {
        assert_eq!(enabled(value), Ok(true), "{value}");
    }
    for value in ["false", "False", "0"] {
        assert_eq!(enabled(value), Ok(false), "{value}");
    }
    assert_eq!(
        error(&[("ENABLE_CRON", "yes")]),
        "ENABLE_CRON is \"yes\", but it takes `true`, `false`, `1` or `0`."
    );
}

#[test]
fn events_take_final_too() {
    let events = |value| read(&[("ENABLE_QUEUE_EVENTS", value)]).map(|c| c.queue.events);
    assert_eq!(events("Final"), Ok(Events::Final));
    assert_eq!((events("true"), events("1")), (Ok(Events::All), Ok(Events::All)));
    assert_eq!((events("false"), events("0")), (Ok(Events::Off), Ok(Events::Off)));
    assert!(events("some").unwrap_err().contains("`final`"));
}

#[test]
fn numbers_stay_within_their_bounds() {
    for variable in VARIABLES {
        let (Kind::Whole(low, high) | Kind::Bound(low, high)) = variable.kind else { continue };
        let beyond = (high + 1).to_string();
        let mut bad = vec!["-1", "1.5", "ten", "1e3", beyond.as_str(), "18446744073709551616"];
        if low > 0 {
            bad.push("0");
        }
        for value in bad {
            assert_eq!(
                error(&[(variable.name, value)]),
                format!("{} is {value:?}, but it takes {}.", variable.name, variable.accepts())
            );
        }
    }
    assert_eq!(read(&[("QUEUE_BATCH_SIZE", "1000")]).unwrap().drain.batch_size, 1000);
}

#[test]
fn retention_may_be_unbounded() {
    let config = read(&[
        ("QUEUE_KEEP_COMPLETED", "ALL"),
        ("QUEUE_KEEP_COMPLETED_SECONDS", "60"),
        ("QUEUE_KEEP_FAILED", "0"),
        ("QUEUE_KEEP_FAILED_SECONDS", "all"),
    ]);
    let jobs = config.unwrap().jobs;
    assert_eq!(jobs.keep_completed, Retention { count: None, age_s: Some(60) });
    assert_eq!(jobs.keep_failed, Retention { count: Some(0), age_s: None });
}

#[test]
fn a_prefix_may_be_what_bullmq_takes_but_for_colons_at_its_ends() {
    for prefix in ["bull", "{bull}", "engineo:staging"] {
        assert_eq!(read(&[("REDIS_PREFIX", prefix)]).unwrap().queue.prefix, prefix);
    }
    for prefix in ["engineo:", ":engineo", ":"] {
        let refused = error(&[("REDIS_PREFIX", prefix)]);
        assert!(refused.starts_with(&format!("REDIS_PREFIX is {prefix:?}")), "{refused}");
    }
}

#[test]
fn a_lock_outlives_the_longest_tick_by_thirty_seconds() {
    let lock = |ms| read(&[("DRAIN_TIMEOUT_MS", "60000"), ("QUEUE_LOCK_MS", ms)]);
    assert!(lock("90000").is_ok());
    let refused = lock("89999").unwrap_err();
    assert_eq!(
        refused,
        "QUEUE_LOCK_MS is 89999 and DRAIN_TIMEOUT_MS is 60000: the lock must outlive the longest \
         tick by 30000 ms, so raise the first or lower the second."
    );
}

#[test]
fn the_margin_leaves_time_to_claim() {
    let margin = |ms| read(&[("DRAIN_TIMEOUT_MS", "2000"), ("DRAIN_MARGIN_MS", ms)]);
    assert!(margin("1999").is_ok());
    let refused = margin("2000").unwrap_err();
    assert!(
        refused.starts_with("DRAIN_MARGIN_MS is 2000 and DRAIN_TIMEOUT_MS is 2000:"),
        "{refused}"
    );
}
