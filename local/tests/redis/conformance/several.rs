//! Pipelines, transactions, and callers side by side.

use shared::redis::{ErrorKind, Usage, Value};

use crate::conformance::bench::{Bench, command, text};

pub async fn a_pipeline_goes_on_after_an_error(bench: Bench) {
    let commands =
        [&["SET", "k", "v"][..], &["INCR", "k"], &["NOSUCH", "k"], &["GET", "k"], &["GET", "x"]];
    let answers = bench.redis.pipeline(commands.map(command).to_vec()).await.unwrap();
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[0].as_ref().unwrap(), &text("OK"));
    for (index, message) in
        [(1, "pipeline item 1, INCR on key \"k\": ERR"), (2, "pipeline item 2, NOSUCH")]
    {
        let error = answers[index].as_ref().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Server("ERR".into()));
        assert!(error.to_string().starts_with(message), "{error}");
    }
    assert_eq!(answers[3].as_ref().unwrap(), &text("v"));
    assert_eq!(answers[4].as_ref().unwrap(), &Value::Nil);
}

pub async fn a_transaction_has_all_its_answers(bench: Bench) {
    let commands = [&["SET", "k", "v"][..], &["INCR", "k"], &["INCR", "n"], &["GET", "k"]];
    let answers = bench.redis.transaction(commands.map(command).to_vec()).await.unwrap();
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[0].as_ref().unwrap(), &text("OK"));
    let error = answers[1].as_ref().unwrap_err();
    assert!(error.to_string().starts_with("transaction item 1, INCR on key \"k\": ERR"), "{error}");
    assert_eq!(answers[2].as_ref().unwrap(), &Value::Int(1), "an error rolls nothing back");
    assert_eq!(answers[3].as_ref().unwrap(), &text("v"));
}

pub async fn a_transaction_is_discarded_as_a_whole(bench: Bench) {
    let commands = [&["INCR", "n"][..], &["GET"]];
    let error = bench.redis.transaction(commands.map(command).to_vec()).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Server("EXECABORT".into()), "{error}");
    assert!(error.to_string().starts_with("transaction of INCR, GET on key \"n\": "), "{error}");
    assert_eq!(bench.call(&["GET", "n"]).await.unwrap(), Value::Nil, "nothing was executed");
    let again = bench.redis.transaction(vec![command(&["INCR", "n"])]).await.unwrap();
    assert_eq!(again[0].as_ref().unwrap(), &Value::Int(1), "the next one is not disturbed");
}

pub async fn nothing_is_sent_for_no_commands(bench: Bench) {
    assert!(bench.redis.pipeline(vec![]).await.unwrap().is_empty());
    assert!(bench.redis.transaction(vec![]).await.unwrap().is_empty());
    assert_eq!(bench.redis.usage(), Usage::default());
}

pub async fn callers_get_their_own_answers(bench: Bench) {
    let calls = (0..50).map(|n| {
        let redis = bench.redis.clone();
        tokio::spawn(async move {
            for round in 0..20 {
                let word = format!("{n}-{round}");
                let answer = redis.call(command(&["ECHO", &word])).await.unwrap();
                assert_eq!(answer, text(&word));
                let key = format!("k{n}");
                let set = command(&["SET", &key, &word]);
                let answers = redis.transaction(vec![set, command(&["GET", &key])]).await.unwrap();
                assert_eq!(answers[1].as_ref().unwrap(), &text(&word));
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}
