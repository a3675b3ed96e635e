//! The meter agrees with Redis' own counters.

use shared::redis::{Redis, Script, Usage};

use crate::conformance::bench::{Bench, command};

static SCRIPT: Script = Script {
    name: "count",
    source: "redis.call('MSET', KEYS[1], 1, KEYS[2], 2) \
             local n = 1 \
             for i = 1, tonumber(ARGV[1]) do redis.call('INCR', KEYS[1]) n = n + 1 end \
             return {n, 'done'}",
    replay_safe: false,
};

pub async fn the_meter_counts_what_redis_executes(mut bench: Bench) {
    bench.executed().await;
    let redis = bench.redis.metered();
    redis.call(command(&["SET", "k", "v"])).await.unwrap();
    // One that fails while executing is executed.
    redis.call(command(&["LPUSH", "k", "v"])).await.unwrap_err();
    let commands = || ["a", "b", "c"].map(|key| command(&["INCR", key])).to_vec();
    redis.pipeline(commands()).await.unwrap();
    redis.transaction(commands()).await.unwrap();
    let keys = ["x".to_owned(), "y".to_owned()];
    for inner in ["0", "7"] {
        redis.run(&SCRIPT, &keys, vec![inner.into()]).await.unwrap();
    }
    // 1 + 1, 3, MULTI + 3 + EXEC, EVALSHA + EVAL + 1, EVALSHA + 8.
    let usage = Usage { billed: 2 + 3 + 5 + 3 + 9, round_trips: 2 + 1 + 1 + 2 + 1 };
    assert_eq!(redis.usage(), usage);
    assert_eq!(bench.executed().await, usage.billed);
}

pub async fn an_empty_tick_executes_one_command(mut bench: Bench) {
    bench.executed().await;
    let exists = || command(&["EXISTS", "wait", "paused", "prioritized", "delayed", "active"]);
    for _ in 0..3 {
        bench.redis.call(exists()).await.unwrap();
        assert_eq!(bench.executed().await, 1);
    }
}

pub async fn handles_have_their_own_meters(bench: Bench) {
    let one = bench.redis.metered();
    let other = bench.redis.metered();
    let count = async |redis: &Redis| redis.call(command(&["INCR", "n"])).await.unwrap();
    count(&one).await;
    count(&one.clone()).await;
    let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(9);
    count(&one.until(soon)).await;
    count(&other).await;
    assert_eq!(one.usage(), Usage { billed: 3, round_trips: 3 });
    assert_eq!(other.usage(), Usage { billed: 1, round_trips: 1 });
    assert_eq!(bench.redis.usage(), Usage::default());
}
