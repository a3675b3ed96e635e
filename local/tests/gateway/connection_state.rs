//! Connections to Redis are shared: no request leaves anything behind on one, or keeps it for long.

use redis::{Value, aio::MultiplexedConnection, cmd};
use serde_json::{Value as Json, json};

use crate::{Bench, TOKEN, http};

/// Where Redis files the commands that could.
const CATEGORIES: [&str; 6] =
    ["connection", "blocking", "admin", "transaction", "pubsub", "scripting"];

/// What would stay on a connection, end it or occupy it, with arguments that Redis takes.
const STATEFUL: [&[&str]; 24] = [
    &["CLIENT", "REPLY", "OFF"],
    &["CLIENT", "REPLY", "SKIP"],
    &["CLIENT", "TRACKING", "ON"],
    &["CLIENT", "NO-EVICT", "ON"],
    &["CLIENT", "SETNAME", "x"],
    &["CLIENT", "PAUSE", "60000"],
    &["SCRIPT", "DEBUG", "YES"],
    &["HELLO", "3"],
    &["AUTH", "x"],
    &["READONLY"],
    &["ASKING"],
    &["MULTI"],
    &["WATCH", "k"],
    &["SUBSCRIBE", "k"],
    &["MONITOR"],
    &["BLPOP", "k", "0"],
    &["XREAD", "BLOCK", "0", "STREAMS", "k", "$"],
    &["WAIT", "1", "0"],
    &["DEBUG", "SLEEP", "60"],
    &["REPLCONF", "listening-port", "1"],
    &["SYNC"],
    &["RESET"],
    &["QUIT"],
    &["SHUTDOWN", "NOSAVE"],
];

/// A command of Redis and how many words it needs.
struct Known {
    /// As Redis has it: `name` or `name|subcommand`.
    name: String,
    words: usize,
}

impl Known {
    /// The command with as many arguments as it needs, none of which means anything.
    fn words(&self) -> Vec<&str> {
        let mut words: Vec<_> = self.name.split('|').collect();
        words.resize(self.words.max(words.len()), "k");
        words
    }

    /// Whether the gateway passes it on: Upstash has it over REST, and it touches only data,
    /// scripts and users; or it is answered as if it were passed on, as CLIENT SETINFO is. XREAD and
    /// XREADGROUP pass as long as they do not block.
    fn passes(&self) -> bool {
        let group = self.name.split('|').next().unwrap();
        let passes = [
            "acl",
            "command",
            "echo",
            "eval",
            "eval_ro",
            "evalsha",
            "evalsha_ro",
            "fcall",
            "fcall_ro",
            "function",
            "ping",
            "publish",
            "pubsub",
            "script",
            "spublish",
            "xread",
            "xreadgroup",
        ];
        let introduces = self.name == "client|setinfo";
        introduces || passes.contains(&group) && self.name != "script|debug"
    }
}

/// All that Redis itself knows, subcommands included.
async fn all_commands(redis: &mut MultiplexedConnection) -> Vec<Known> {
    fn collect(entries: &Value, all: &mut Vec<Known>) {
        for entry in entries.as_sequence().unwrap() {
            let fields = entry.as_sequence().unwrap();
            let name: String = redis::from_redis_value_ref(&fields[0]).unwrap();
            let arity: i64 = redis::from_redis_value_ref(&fields[1]).unwrap();
            all.push(Known { name, words: arity.unsigned_abs().try_into().unwrap() });
            // Redis before 7 tells of no subcommands.
            if let Some(subcommands) = fields.get(9) {
                collect(subcommands, all);
            }
        }
    }
    let mut all = Vec::new();
    collect(&cmd("COMMAND").query_async(redis).await.unwrap(), &mut all);
    all
}

/// What Redis says about each connection but the one that asks, without what every command changes.
async fn connections(redis: &mut MultiplexedConnection) -> Vec<String> {
    let own: u64 = cmd("CLIENT").arg("ID").query_async(redis).await.unwrap();
    let list: String = cmd("CLIENT").arg("LIST").query_async(redis).await.unwrap();
    let state = |line: &str| {
        let kept = |field: &&str| {
            let name = field.split('=').next().unwrap();
            ["id", "name", "flags", "db", "sub", "psub", "ssub", "multi", "user", "redir", "resp"]
                .contains(&name)
        };
        line.split(' ').filter(kept).collect::<Vec<_>>().join(" ")
    };
    list.lines().filter(|line| !line.starts_with(&format!("id={own} "))).map(state).collect()
}

async fn get(bench: &Bench, path: &str) -> http::Answer {
    let headers = [("Authorization", &*format!("Bearer {TOKEN}"))];
    http::exchange(&bench.url(), &http::request("GET", path, &headers, b"")).await.unwrap()
}

/// `words` in all forms that a command can have, and what was answered.
async fn in_every_form(bench: &Bench, words: &[&str]) -> Vec<Json> {
    let lower = words.join(" ").to_lowercase();
    let lower: Vec<_> = lower.split(' ').collect();
    let pipeline = bench.post("/pipeline", json!([lower])).await.json();
    let mut answers = vec![
        bench.post("/", json!(words)).await.json(),
        bench.post("/", json!(lower)).await.json(),
        pipeline[0].clone(),
        bench.post("/multi-exec", json!([words])).await.json(),
    ];
    // These paths are streams, each on a connection of its own.
    if !["monitor", "psubscribe", "subscribe"].contains(&lower[0]) {
        answers.push(get(bench, &format!("/{}", lower.join("/"))).await.json());
    }
    answers
}

/// Whether the gateway has said so itself: Redis has no such words for a command that it knows.
fn is_refused(answer: &Json) -> bool {
    answer["error"].as_str().is_some_and(|error| {
        error.contains("is not allowed in REST")
            || error.starts_with("ERR Command is not available")
    })
}

#[tokio::test]
async fn what_belongs_to_a_connection_blocks_or_administers_is_refused_in_every_form() {
    let bench = Bench::start().await;
    let mut redis = bench.redis().await;
    let mut checked = Vec::new();
    for category in CATEGORIES {
        let names: Vec<String> =
            cmd("ACL").arg("CAT").arg(category).query_async(&mut redis).await.unwrap();
        checked.extend(names);
    }
    let all = all_commands(&mut redis).await;
    for known in all.iter().filter(|known| checked.contains(&known.name)) {
        for answer in in_every_form(&bench, &known.words()).await {
            assert_eq!(is_refused(&answer), !known.passes(), "{}: {answer}", known.name);
        }
    }
    // A name that needs a subcommand is none of the categories'.
    for name in ["client", "cluster", "config", "debug", "latency", "module", "slowlog"] {
        assert!(in_every_form(&bench, &[name]).await.iter().all(is_refused), "{name}");
    }
    for answer in in_every_form(&bench, &["CLIENT", "SETINFO", "LIB-NAME", "x"]).await {
        let result = answer.get(0).unwrap_or(&answer);
        assert_eq!(*result, json!({"result": "OK"}), "the official SDK introduces itself");
    }
}

#[tokio::test]
async fn no_command_changes_the_connection_that_it_ran_on() {
    let bench = Bench::start().await;
    let mut redis = bench.redis().await;
    bench.run(json!(["PING"])).await;
    let before = connections(&mut redis).await;
    assert_eq!(before.len(), 1, "{before:?}");
    let all = all_commands(&mut redis).await;
    let meaningless = all.iter().map(Known::words);
    let commands: Vec<_> = STATEFUL.map(<[&str]>::to_vec).into_iter().chain(meaningless).collect();
    let answers = bench.post("/pipeline", json!(commands)).await.json();
    assert_eq!(answers.as_array().unwrap().len(), commands.len());
    // Redis allows none of this to a script, and SELECT and RESP3 only until its end.
    let script = "redis.setresp(3) redis.call('SELECT', 1) for _, words in ipairs(cjson.decode(ARGV[1])) do \
                  redis.pcall(unpack(words)) end return 1";
    assert_eq!(bench.run(json!(["EVAL", script, 0, json!(STATEFUL).to_string()])).await, 1);
    assert_eq!(connections(&mut redis).await, before);
    assert_eq!(bench.run(json!(["EVAL", "return 1", 0])).await, 1);
    assert_eq!(bench.run(json!(["PING"])).await, "PONG");
}

#[tokio::test]
async fn the_scripts_debugger_is_for_nobody() {
    let bench = Bench::start().await;
    for mode in ["YES", "SYNC", "NO"] {
        for answer in in_every_form(&bench, &["SCRIPT", "DEBUG", mode]).await {
            assert!(is_refused(&answer), "{answer}");
            assert_eq!(bench.run(json!(["EVAL", "local one = 1 return one", 0])).await, 1);
            assert_eq!(bench.run(json!(["GET", "k"])).await, json!(null));
        }
    }
}

#[tokio::test]
async fn a_stream_is_read_without_waiting_whatever_its_names_are() {
    let bench = Bench::start().await;
    for group in ["g", "block", "streams"] {
        bench.run(json!(["XGROUP", "CREATE", "block", group, "$", "MKSTREAM"])).await;
    }
    for words in [
        &["XREADGROUP", "GROUP", "g", "streams", "BLOCK", "60000", "STREAMS", "block", ">"][..],
        &[
            "XREADGROUP",
            "COUNT",
            "1",
            "GROUP",
            "streams",
            "c",
            "BLOCK",
            "0",
            "STREAMS",
            "block",
            ">",
        ],
        &["XREADGROUP", "BLOCK", "60000", "GROUP", "block", "c", "STREAMS", "block", ">"],
        &["XREAD", "COUNT", "1", "BLOCK\0x", "60000", "STREAMS", "block", "$"],
    ] {
        let answer = bench.post("/", json!(words)).await.json();
        assert!(is_refused(&answer), "{words:?}: {answer}");
    }
    bench.run(json!(["XADD", "block", "1-1", "f", "v"])).await;
    let read = json!([["block", [["1-1", ["f", "v"]]]]]);
    for words in [
        &["XREADGROUP", "GROUP", "block", "c", "COUNT", "1", "STREAMS", "block", ">"][..],
        &["XREADGROUP", "COUNT", "1", "GROUP", "g", "block", "STREAMS", "block", ">"],
        &["XREADGROUP", "GROUP", "streams", "streams", "NOACK", "STREAMS", "block", ">"],
        &["XREAD", "COUNT", "1", "STREAMS", "block", "0"],
    ] {
        assert_eq!(bench.run(json!(words)).await, read, "{words:?}");
    }
}

#[tokio::test]
async fn what_redis_takes_for_http_is_an_unknown_command() {
    let bench = Bench::start().await;
    for word in ["POST", "HOST:"] {
        for answer in in_every_form(&bench, &[word, "k"]).await {
            assert!(is_refused(&answer), "{answer}");
        }
        let around = json!([["INCR", word], [word], ["INCR", word]]);
        let answers = bench.post("/pipeline", around).await.json();
        assert_eq!([&answers[0], &answers[2]], [&json!({"result": 1}), &json!({"result": 2})]);
    }
}
