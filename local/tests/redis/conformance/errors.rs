//! Errors say what went wrong, and nothing that must not be seen.

use shared::redis::{ErrorKind, Retry};

use crate::conformance::bench::{Bench, PASSWORD};

pub async fn errors_keep_their_codes(bench: Bench) {
    bench.call(&["SET", "k", "canary-value"]).await.unwrap();
    for (args, code, message) in [
        (
            &["LPUSH", "k", "canary-value"][..],
            "WRONGTYPE",
            "LPUSH on key \"k\": WRONGTYPE Operation",
        ),
        (&["INCR", "k"], "ERR", "INCR on key \"k\": ERR value is not an integer"),
        (&["GET"], "ERR", "GET: ERR wrong number of arguments"),
        (&["SET", "k", "canary-value", "XX", "NX"], "ERR", "SET on key \"k\": ERR syntax error"),
        (
            &["EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "1", "k"],
            "NOSCRIPT",
            "EVALSHA on key \"k\": NOSCRIPT",
        ),
        (&["EVAL", "return redis.error_reply('MINE canary')", "0"], "MINE", "EVAL: MINE canary"),
        (
            &["EVAL", "return redis.call('INCR', KEYS[1])", "1", "k"],
            "ERR",
            "EVAL on key \"k\": ERR",
        ),
        (&["EVAL", "this is not Lua", "0"], "ERR", "EVAL: ERR Error compiling script"),
    ] {
        let error = bench.call(args).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Server(code.into()), "{error}");
        assert_eq!(error.retry(), Retry::Never, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(!error.to_string().contains("canary-value"), "{error}");
    }
    let error = bench.call(&["NOSUCH", "k", "canary-value"]).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Server("ERR".into()), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}

pub async fn a_wrong_password_or_token_is_refused(mut bench: Bench) {
    bench.control(&["ACL", "SETUSER", "someone", "on", ">right", "~*", "+@all"]).await;
    let stranger = bench.client("someone", "canary-wrong");
    let error = stranger.call(crate::conformance::bench::command(&["GET", "k"])).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (&ErrorKind::Authorization, Retry::Never));
    let shown = format!("{error} {error:?} {stranger:?}");
    assert!(!shown.contains("canary-wrong") && !shown.contains(PASSWORD), "{shown}");
}

pub async fn one_that_may_only_read_is_told_so(mut bench: Bench) {
    let reader = bench.reader().await;
    bench.call(&["SET", "k", "v"]).await.unwrap();
    let get = reader.call(crate::conformance::bench::command(&["GET", "k"])).await.unwrap();
    assert_eq!(get.as_str(), Some("v"));
    for args in [&["SET", "k", "w"][..], &["EVAL", "return 1", "0"], &["EVALSHA", "00", "0"]] {
        let error = reader.call(crate::conformance::bench::command(args)).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (&ErrorKind::Authorization, Retry::Never));
        assert!(error.to_string().contains("read-only token"), "{error}");
    }
}
