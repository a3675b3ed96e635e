//! Scripts of ours, by `Redis::run`.

use shared::redis::{ErrorKind, Retry, Script, Usage, Value};

use crate::conformance::bench::{Bench, text};

static SCRIPT: Script = Script {
    name: "greet",
    source: "local n = redis.call('INCR', KEYS[1]) \
             redis.call('SET', KEYS[2], ARGV[1]) \
             return {2, n, redis.call('GET', KEYS[2])}",
    replay_safe: false,
};

fn keys() -> [String; 2] {
    ["counter".into(), "{é}:greeting".into()]
}

pub async fn a_script_is_loaded_once(mut bench: Bench) {
    bench.executed().await;
    let greeting = r#"{"text":"ça va?"}"#;
    for (n, calls) in [(1, 2), (2, 1), (3, 1)] {
        let redis = bench.redis.metered();
        let answer = redis.run(&SCRIPT, &keys(), vec![greeting.into()]).await.unwrap();
        assert_eq!(answer, [Value::Int(n), text(greeting)]);
        // The script says two and executes three: what it says counts.
        assert_eq!(redis.usage(), Usage { billed: calls + 2, round_trips: calls });
        assert_eq!(bench.executed().await, calls + 3);
    }
    bench.control(&["SCRIPT", "FLUSH"]).await;
    let answer = bench.redis.run(&SCRIPT, &keys(), vec![greeting.into()]).await.unwrap();
    assert_eq!(answer[0], Value::Int(4), "executed once, not twice");
}

pub async fn a_script_refuses_with_its_own_code(bench: Bench) {
    static REFUSING: Script = Script {
        name: "refuse",
        source: "return redis.error_reply('LOCKMISSING the lock is gone')",
        replay_safe: true,
    };
    for _ in 0..2 {
        let error = bench.redis.run(&REFUSING, &keys(), vec![]).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Server("LOCKMISSING".into()));
        assert_eq!(error.retry(), Retry::Never);
        let message = "script refuse on key \"counter\": LOCKMISSING the lock is gone";
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

pub async fn a_script_that_does_not_count_is_a_mistake(bench: Bench) {
    for source in ["return 'x'", "return {}", "return {'1'}", "return {-1}", "return {false}"] {
        let script = Script { name: "uncounted", source, replay_safe: true };
        let error = bench.redis.run(&script, &[], vec![]).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Protocol, "{source}");
        assert!(error.to_string().starts_with("script uncounted: "), "{error}");
    }
}

pub async fn a_script_that_fails_midway_says_so(bench: Bench) {
    static FAILING: Script = Script {
        name: "fail",
        source: "redis.call('SET', KEYS[1], 'x') \
                 redis.call('LPUSH', KEYS[1], ARGV[1]) \
                 return {2}",
        replay_safe: true,
    };
    let error =
        bench.redis.run(&FAILING, &keys(), vec![b"canary-payload".into()]).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Server("WRONGTYPE".into()), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
    assert_eq!(bench.call(&["GET", "counter"]).await.unwrap(), text("x"), "nothing rolls back");
}
