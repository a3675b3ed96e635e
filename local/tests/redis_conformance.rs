//! What the project expects of Redis, over each transport against a real server.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use local::servers::RedisServer;
use shared::config::{RedisConfig, Secret};
use shared::redis::{Command, ErrorKind, Redis, Script, Usage, Value};

/// A server of its own for each case, and the client under test.
struct Bench {
    redis: Redis,
    /// Another way to the same server.
    control: redis::aio::MultiplexedConnection,
    _server: RedisServer,
}

impl Bench {
    async fn tcp() -> Self {
        let server = RedisServer::start().await.unwrap();
        let control = redis::Client::open(server.url()).unwrap();
        let control = control.get_multiplexed_async_connection().await.unwrap();
        let url = Secret::new(server.url());
        let redis = Redis::new(&RedisConfig::Tcp { url, allow_plaintext: false }).unwrap();
        Self { redis, control, _server: server }
    }

    async fn reset_stats(&mut self) {
        let _: () =
            redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut self.control).await.unwrap();
    }

    async fn executed(&mut self) -> u64 {
        let info: String =
            redis::cmd("INFO").arg("commandstats").query_async(&mut self.control).await.unwrap();
        info.lines()
            .filter(|line| {
                line.starts_with("cmdstat_")
                    && !line.starts_with("cmdstat_config")
                    && !line.starts_with("cmdstat_info")
            })
            .filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok())
            .sum()
    }
}

fn text(text: &str) -> Value {
    Value::Bytes(text.into())
}

#[tokio::test]
async fn smoke() {
    let mut bench = Bench::tcp().await;
    bench.reset_stats().await;
    assert_eq!(bench.executed().await, 0);
    let redis = bench.redis.metered();
    let answer = redis.call(Command::new("EXISTS").arg("a").arg("b")).await.unwrap();
    assert_eq!(answer, Value::Int(0));
    assert_eq!(bench.executed().await, 1, "an idle tick executes one command");
    let answers = redis
        .pipeline(vec![
            Command::new("SET").arg("k").arg("v"),
            Command::new("LPUSH").arg("k").arg("v"),
            Command::new("GET").arg("k"),
        ])
        .await
        .unwrap();
    assert_eq!(answers[0].as_ref().unwrap(), &text("OK"));
    assert_eq!(answers[2].as_ref().unwrap(), &text("v"));
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Server("WRONGTYPE".into()));
    let answers = redis
        .transaction(vec![Command::new("INCR").arg("n"), Command::new("INCR").arg("n")])
        .await
        .unwrap();
    assert_eq!(answers[1].as_ref().unwrap(), &Value::Int(2));
    let script = Script {
        name: "t",
        source: "redis.call('SET', KEYS[1], ARGV[1]) return {1, 'x', 9007199254740993}",
        replay_safe: true,
    };
    for _ in 0..2 {
        let answer = redis.run(&script, &["s".into()], vec![b"1".to_vec()]).await.unwrap();
        assert_eq!(answer[0], text("x"));
    }
    let usage = redis.usage();
    assert_eq!(usage, Usage { billed: bench.executed().await, round_trips: 6 });
}
