//! Servers that are full or may not write, and requests that are long.

use std::time::Duration;

use shared::redis::{Command, ErrorKind, Script, Value};
use tokio::time::Instant;

use crate::conformance::bench::{Bench, command, text};

pub async fn a_full_server_refuses_writes(mut bench: Bench) {
    bench.control(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = bench.call(&["SET", "k", "v"]).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Server("OOM".into()), "{error}");
    assert_eq!(bench.call(&["GET", "k"]).await.unwrap(), Value::Nil, "reads go on");
    bench.control(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(bench.call(&["SET", "k", "v"]).await.unwrap(), text("OK"));
}

pub async fn a_replica_refuses_writes(mut bench: Bench) {
    // Of a master that does not answer.
    bench.control(&["REPLICAOF", "127.0.0.1", "1"]).await;
    // A primary is waited for, within a fifth of the time that there is.
    let soon = Instant::now() + Duration::from_secs(1);
    let error = bench.redis.until(soon).call(command(&["SET", "k", "v"])).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Server("READONLY".into()), "{error}");
    bench.control(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(bench.call(&["SET", "k", "v"]).await.unwrap(), text("OK"));
}

pub async fn long_values_and_long_pipelines(bench: Bench) {
    let long = "é\"".repeat(700_000);
    let set = Command::new("SET").arg("long").arg(long.clone());
    assert_eq!(bench.redis.call(set).await.unwrap(), text("OK"));
    assert_eq!(bench.call(&["GET", "long"]).await.unwrap(), text(&long));
    let many = (0..5_000).map(|n| command(&["RPUSH", "list", &n.to_string()])).collect();
    let answers = bench.redis.pipeline(many).await.unwrap();
    assert_eq!(answers.last().unwrap().as_ref().unwrap(), &Value::Int(5_000));
    let list = bench.call(&["LRANGE", "list", "0", "-1"]).await.unwrap();
    let list = list.as_array().unwrap();
    assert_eq!((list.len(), list[4_999].as_str()), (5_000, Some("4999")));
}

pub async fn a_request_over_ten_megabytes_is_refused_over_rest(bench: Bench) {
    static PUSH: Script = Script {
        name: "push",
        source: "return {1, redis.call('RPUSH', KEYS[1], unpack(ARGV))}",
        replay_safe: false,
    };
    let megabyte = || vec![b'x'; 1_000_000];
    let push = || Command::new("RPUSH").arg("k").arg(megabyte());
    let key = ["k".to_owned()];
    let answers = [
        bench.redis.call(Command::new("RPUSH").arg("k").args(vec![megabyte(); 10])).await.err(),
        bench.redis.pipeline(vec![push(); 10]).await.err(),
        bench.redis.transaction(vec![push(); 10]).await.err(),
        bench.redis.run(&PUSH, &key, vec![megabyte(); 10]).await.err(),
    ];
    let titles = ["RPUSH", "pipeline of RPUSH×10", "transaction of RPUSH×10", "script push"];
    let rest = bench.redis.transport() == "rest";
    for (error, title) in answers.into_iter().zip(titles) {
        let Some(error) = error else {
            assert!(!rest, "{title}");
            continue;
        };
        assert!(rest, "{error}");
        assert_eq!(error.kind(), &ErrorKind::Unsendable);
        let error = error.to_string();
        let begin = format!("{title} on key \"k\": the request has 10000");
        assert!(error.starts_with(&begin), "{error}");
        let end = " bytes, more than the 10000000 that Upstash takes; send less at once";
        assert!(error.ends_with(end), "{error}");
    }
    let trips = bench.redis.usage().round_trips;
    let length = bench.call(&["LLEN", "k"]).await.unwrap();
    assert_eq!((trips, length), if rest { (0, Value::Int(0)) } else { (5, Value::Int(40)) });
    // What fits exactly is taken.
    let frame = r#"["SET","long",""]"#.len();
    let most = Command::new("SET").arg("long").arg(vec![b'x'; 10_000_000 - frame]);
    assert_eq!(bench.redis.call(most).await.unwrap(), text("OK"));
}
