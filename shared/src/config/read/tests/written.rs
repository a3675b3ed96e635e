//! How values are written, and what variables are called elsewhere.

use super::*;

#[test]
fn what_stands_around_a_value_is_refused_whatever_it_is_for() {
    let quoted = "has quotation marks in it, which count as a part of it: remove them.";
    let blank =
        "has white space or a line break around its value, perhaps from copying it: remove it.";
    for (name, value, says) in [
        ("REDIS_PREFIX", "\"engineo\"", quoted),
        ("JWT_SECRET", "'canary'", quoted),
        ("JWT_SECRET", "canary\n", blank),
        ("JWT_SECRET", " canary", blank),
        ("ENABLE_CRON", "true ", blank),
        ("ENABLE_CRON", "\"true\"", quoted),
        ("QUEUE_BATCH_SIZE", "100\r\n", blank),
        ("QUEUE_BATCH_SIZE", " ", blank),
        ("CRON_SCOPE", "'all'", quoted),
        ("DRAIN_PATIENCE", "30m\n", blank),
        ("QUEUES", "deo_score_queue\n", blank),
        ("SNAPSHOT_RETENTION", "\"all\"", quoted),
        ("QUEUE_HTTP_SECRET", "whsec_canary\n", blank),
        ("REDIS_CA", "\"/etc/ca.pem\"", quoted),
        ("DATABASE_CA", "/etc/ca.pem\n", blank),
    ] {
        assert_eq!(error(&[(name, value)]), format!("{name} {says}"), "{value:?}");
    }
}

#[test]
fn a_raw_character_in_a_password_is_told_as_such() {
    for (c, encoded) in [('#', "%23"), ('/', "%2F"), ('@', "%40"), ('?', "%3F"), ('%', "%25")] {
        let url = format!("rediss://default:can{c}ary@r.example:6379");
        let refused = error(&[("REDIS_URL", &url)]);
        let sentence =
            format!("REDIS_URL has a raw `{c}` in its password: write it as {encoded} there");
        assert!(refused.starts_with(&sentence), "{refused}");
        assert!(!refused.contains("can") && !refused.contains("ary@"), "{refused}");
    }
}

const KV: [(&str, &str); 2] =
    [("KV_REST_API_URL", "https://kv.upstash.io"), ("KV_REST_API_TOKEN", "AXkv")];

fn rest(pairs: &[(&str, &str)]) -> (String, String) {
    match read(pairs).unwrap().redis {
        Some(Endpoint::Rest { url, token, .. }) => (url, token.expose().to_owned()),
        other => panic!("not REST: {other:?}"),
    }
}

#[test]
fn vercel_s_names_of_the_rest_variables_are_understood() {
    let theirs = ("https://kv.upstash.io".to_owned(), "AXkv".to_owned());
    assert_eq!(rest(&KV), theirs);
    assert_eq!(rest(&[KV[0], KV[1], TCP, ("REDIS_TRANSPORT", "rest")]), theirs);
    assert_eq!(rest(&[KV[0], KV[1], ("UPSTASH_REDIS_REST_URL", "")]), theirs);
    assert_eq!(rest(&[KV[0], KV[1], REST[0], REST[1]]).1, "AXtoken", "ours go before them");
    let tcp = read(&[KV[0], KV[1], TCP, ("REDIS_TRANSPORT", "tcp")]).unwrap();
    assert!(matches!(tcp.redis, Some(Endpoint::Tcp { .. })));
    // They may be of another database, which somebody else has set up.
    for kv in [&KV[..], &KV[1..]] {
        let named = read(&[kv, &[TCP]].concat()).unwrap();
        assert!(matches!(named.redis, Some(Endpoint::Tcp { .. })), "{kv:?}");
    }
}

#[test]
fn errors_call_the_rest_variables_as_whoever_set_them() {
    assert_eq!(
        error(&[KV[0]]),
        "KV_REST_API_TOKEN is not set, though KV_REST_API_URL is: set it too."
    );
    // Half of one pair is not completed from the other: it may be of another database.
    assert_eq!(
        error(&[REST[0], KV[1]]),
        "UPSTASH_REDIS_REST_TOKEN is not set, though UPSTASH_REDIS_REST_URL is: set it too."
    );
    let swapped = [("KV_REST_API_URL", KV[1].1), ("KV_REST_API_TOKEN", KV[0].1)];
    assert_eq!(
        error(&swapped),
        "KV_REST_API_URL and KV_REST_API_TOKEN are swapped: the token holds a URL."
    );
    assert!(
        error(&[KV[0], ("KV_REST_API_TOKEN", "AXkv\n")]).starts_with("KV_REST_API_TOKEN holds")
    );
    assert_eq!(read(&KV).unwrap().redis_names.rest_url, "KV_REST_API_URL");
    assert_eq!(read(&REST).unwrap().redis_names.rest_url, "UPSTASH_REDIS_REST_URL");
}
