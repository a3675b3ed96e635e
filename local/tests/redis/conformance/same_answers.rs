//! Any sequence of commands has the same answers over each transport.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::redis::{Command, Error, RestAnswers, Value};

use crate::conformance::bench::Bench;

/// The number of sequences; each is a few round trips on three transports.
const SEQUENCES: u32 = 64;

type Sequence = Vec<Vec<String>>;

/// Words of any text, of few keys so that commands meet.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abc]".boxed(),
        any::<i64>().prop_map(|n| n.to_string()).boxed(),
        any::<String>().boxed(),
        Just("OK".to_owned()).boxed(),
        ".{0,40}".boxed(),
    ]
}

fn command() -> impl Strategy<Value = Vec<String>> {
    let key = || "[abc]";
    let name = |name: &str| Just(name.to_owned());
    let shape = |first: &str, words: usize| {
        (name(first), key(), proptest::collection::vec(word(), words))
            .prop_map(|(name, key, words)| [name, key].into_iter().chain(words).collect::<Vec<_>>())
    };
    prop_oneof![
        shape("SET", 1),
        shape("GET", 0),
        shape("APPEND", 1),
        shape("INCRBY", 1),
        shape("GETRANGE", 2),
        shape("RPUSH", 3),
        shape("LRANGE", 2),
        shape("LPOP", 0),
        shape("HSET", 4),
        // Fields come in no certain order.
        shape("HLEN", 0),
        shape("HGET", 1),
        shape("ZADD", 2),
        shape("ZRANGE", 2),
        shape("DEL", 1),
        shape("TYPE", 0),
        // One that Redis does not take, so that a transaction is discarded.
        shape("GET", 1),
        Just(()).prop_map(|()| {
            // Every byte, and nesting, from a script.
            let script = "return {1, {ARGV[1], {string.char(0, 128, 255)}}, false, #ARGV[1]}";
            ["EVAL", script, "0", "é\u{0}"].map(str::to_owned).to_vec()
        }),
        any_bytes(),
    ]
}

/// Answers of any bytes, up to three arrays deep, which no argument could hold.
fn any_bytes() -> impl Strategy<Value = Vec<String>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..60);
    prop_oneof![bytes(), Just((0..=255).collect::<Vec<u8>>())].prop_flat_map(|bytes| {
        (0..=3).prop_map(move |depth| {
            let answer = "string.char(unpack(ARGV))";
            let nested = (0..depth)
                .fold(answer.to_owned(), |inner, _| format!("{{1, {answer}, {inner}, {{}}}}"));
            ["EVAL".to_owned(), format!("return {nested}"), "0".to_owned()]
                .into_iter()
                .chain(bytes.iter().map(u8::to_string))
                .collect()
        })
    })
}

/// What a caller sees of an answer.
fn seen(answer: Result<Value, Error>) -> Result<Value, String> {
    answer.map_err(|error| error.to_string())
}

async fn run(bench: &Bench, sequence: &Sequence) -> Vec<Result<Value, String>> {
    let commands: Vec<Command> = sequence
        .iter()
        .map(|words| Command::new(words[0].clone().leak()).args(words[1..].iter().cloned()))
        .collect();
    let mut answers = Vec::new();
    for command in &commands {
        answers.push(seen(bench.redis.call(command.clone()).await));
    }
    answers.extend(bench.redis.pipeline(commands.clone()).await.unwrap().into_iter().map(seen));
    match bench.redis.transaction(commands).await {
        Ok(items) => answers.extend(items.into_iter().map(seen)),
        Err(error) => answers.push(Err(error.to_string())),
    }
    answers.push(seen(bench.call(&["FLUSHALL"]).await));
    answers
}

#[test]
fn over_each_transport() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let benches = runtime.block_on(async {
        [
            Bench::tcp().await,
            Bench::rest(RestAnswers::Json).await,
            Bench::rest(RestAnswers::Resp2).await,
        ]
    });
    let sequences = proptest::collection::vec(command(), 1..12);
    let config = Config { cases: SEQUENCES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&sequences, |sequence| {
            let [tcp, json, resp2] = &benches;
            let (tcp, json, resp2) = runtime.block_on(async {
                (run(tcp, &sequence).await, run(json, &sequence).await, run(resp2, &sequence).await)
            });
            prop_assert_eq!(&tcp, &json);
            prop_assert_eq!(&tcp, &resp2);
            Ok(())
        })
        .unwrap();
}
