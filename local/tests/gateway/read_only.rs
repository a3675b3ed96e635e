//! What the read-only token may do.

use serde_json::{Value, json};

use crate::{Bench, READ_TOKEN, http};

async fn post(bench: &Bench, path: &str, json: Value) -> http::Answer {
    let authorization = format!("Bearer {READ_TOKEN}");
    let headers = [("Authorization", authorization.as_str())];
    let request = http::request("POST", path, &headers, json.to_string().as_bytes());
    http::exchange(&bench.url(), &request).await.unwrap()
}

fn denied(name: &str) -> Value {
    json!({
        "error":
            format!("NOPERM this user has no permissions to run the '{name}' command or its subcommand")
    })
}

#[tokio::test]
async fn reads_pass() {
    let bench = Bench::start().await;
    bench.run(json!(["SET", "k", "v"])).await;
    bench.run(json!(["HSET", "h", "f", "v"])).await;
    for (command, result) in [
        (json!(["GET", "k"]), json!("v")),
        (json!(["get", "K"]), json!(null)),
        (json!(["MGET", "k", "nothing"]), json!(["v", null])),
        (json!(["HGETALL", "h"]), json!(["f", "v"])),
        (json!(["EXISTS", "k"]), json!(1)),
        (json!(["TTL", "k"]), json!(-1)),
        (json!(["OBJECT", "ENCODING", "k"]), json!("embstr")),
        (json!(["XRANGE", "stream", "-", "+"]), json!([])),
        (json!(["XINFO", "STREAM", "stream"]), json!(null)),
        (json!(["DBSIZE"]), json!(2)),
        (json!(["PING"]), json!("PONG")),
        (json!(["ECHO", "x"]), json!("x")),
    ] {
        let answer = post(&bench, "/", command.clone()).await;
        if command[0] == "XINFO" {
            assert_eq!(answer.json(), json!({"error": "ERR no such key"}));
        } else {
            assert_eq!(answer.json(), json!({ "result": result }), "{command}");
        }
    }
}

/// What Redis says about a command, if it knows it.
async fn known(
    redis: &mut redis::aio::MultiplexedConnection,
    name: &str,
) -> Option<Vec<redis::Value>> {
    let question = redis::cmd("COMMAND").arg("INFO").arg(name).take();
    let mut entries: Vec<Option<Vec<redis::Value>>> = question.query_async(redis).await.unwrap();
    entries.remove(0)
}

#[tokio::test]
async fn writes_scripts_and_walks_over_the_keyspace_do_not() {
    let bench = Bench::start().await;
    let mut redis = bench.redis().await;
    for command in [
        json!(["SET", "k", "v"]),
        json!(["set", "k", "v"]),
        json!(["DEL", "k"]),
        json!(["GETDEL", "k"]),
        json!(["GETEX", "k"]),
        json!(["SORT", "k", "STORE", "l"]),
        json!(["EVAL", "return 1", 0]),
        json!(["EVAL_RO", "return 1", 0]),
        json!(["EVALSHA", "abc", 0]),
        json!(["SCRIPT", "LOAD", "return 1"]),
        json!(["FCALL", "f", 0]),
        json!(["PUBLISH", "c", "m"]),
        json!(["FLUSHALL"]),
        json!(["KEYS", "*"]),
        json!(["SCAN", 0]),
        json!(["INFO"]),
        json!(["XGROUP", "CREATE", "s", "g", "$"]),
    ] {
        let answer = post(&bench, "/", command.clone()).await;
        let name = command[0].as_str().unwrap().to_lowercase();
        if known(&mut redis, &name).await.is_some() {
            assert_eq!((answer.status, answer.json()), (400, denied(&name)));
        } else {
            // EVAL_RO and FCALL came with Redis 7.
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.starts_with("ERR Command is not available"), "{error}");
        }
    }
    assert_eq!(bench.run(json!(["DBSIZE"])).await, 0);
    // Redis before 7 has a verdict on OBJECT only, and refuses the nonsense itself.
    let nonsense = post(&bench, "/", json!(["OBJECT", "NONSENSE", "k"])).await;
    if known(&mut redis, "object").await.is_some_and(|entry| entry.len() > 9) {
        assert_eq!(nonsense.json(), denied("object"));
    }
    assert_eq!(nonsense.status, 400);
    // Once Redis has been asked about a name, a subcommand of it still is.
    let answer = post(&bench, "/", json!(["OBJECT", "ENCODING", "k"])).await;
    assert_eq!(answer.json(), json!({"result": null}));
}

#[tokio::test]
async fn an_item_of_a_pipeline_is_denied_alone_and_a_transaction_as_a_whole() {
    let bench = Bench::start().await;
    let commands = json!([["ECHO", "a"], ["SET", "k", "v"], ["NOSUCH"], ["ECHO", "b"]]);
    let answer = post(&bench, "/pipeline", commands).await;
    let unavailable = "ERR Command is not available: 'NOSUCH'. See \
         https://upstash.com/docs/redis/overall/rediscompatibility for details";
    assert_eq!(
        answer.json(),
        json!([{"result": "a"}, denied("set"), {"error": unavailable}, {"result": "b"}])
    );
    let answer = post(&bench, "/multi-exec", json!([["GET", "k"], ["SET", "k", "v"]])).await;
    assert_eq!((answer.status, answer.json()), (400, denied("set")));
    let answer = post(&bench, "/multi-exec", json!([["GET", "k"]])).await;
    assert_eq!((answer.status, answer.json()), (200, json!([{"result": null}])));
    for path in ["/monitor", "/subscribe/c", "/psubscribe/c"] {
        assert_eq!(post(&bench, path, json!([])).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn redis_is_asked_about_a_command_once_and_only_for_this_token() {
    let bench = Bench::start().await;
    bench.run(json!(["GET", "k"])).await;
    assert_eq!(bench.executed().await.into_iter().collect::<Vec<_>>(), [("get".to_owned(), 1)]);
    for _ in 0..3 {
        post(&bench, "/", json!(["GET", "k"])).await;
    }
    let executed = bench.executed().await;
    // Redis before 7 counts no subcommands.
    let asked = executed.get("command|info").or(executed.get("command"));
    assert_eq!((executed["get"], asked), (4, Some(&1)));
}
