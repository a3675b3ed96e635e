//! Servers that are full or may not write, and requests that are long.

use shared::redis::{Command, ErrorKind, Value};

use crate::bench::{Bench, command, text};

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
    let error = bench.call(&["SET", "k", "v"]).await.unwrap_err();
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
