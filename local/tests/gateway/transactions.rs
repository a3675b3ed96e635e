//! Transactions and pipelines.

use serde_json::json;

use crate::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn parallel_transactions_do_not_interleave() {
    let bench = Bench::start().await;
    let transactions = (0..100).map(|_| {
        let commands = vec![json!(["INCR", "counter"]); 20];
        bench.post("/multi-exec", json!(commands))
    });
    let mut firsts = Vec::new();
    for answer in futures_util::future::join_all(transactions).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let results: Vec<i64> = answer
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["result"].as_i64().unwrap())
            .collect();
        let expected: Vec<i64> = (results[0]..results[0] + 20).collect();
        assert_eq!(results, expected, "another transaction ran in between");
        firsts.push(results[0]);
    }
    firsts.sort_unstable();
    assert_eq!(firsts, (0..100).map(|n| n * 20 + 1).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failing_command_stops_neither_pipeline_nor_transaction() {
    let bench = Bench::start().await;
    let commands =
        json!([["SET", "key1", "valuex"], ["INCR", "key1"], ["ZADD", "z", 11, "a", 22, "b"]]);
    let expected = json!([
        {"result": "OK"},
        {"error": "ERR value is not an integer or out of range"},
        {"result": 2}
    ]);
    let answer = bench.post("/pipeline", commands.clone()).await;
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    bench.post("/", json!(["DEL", "z"])).await;
    let answer = bench.post("/multi-exec", commands).await;
    assert_eq!((answer.status, answer.json()), (200, expected));
}

#[tokio::test]
async fn a_discarded_transaction_executes_nothing() {
    let bench = Bench::start().await;
    let broken = json!([["SET", "k", "v"], ["GET"]]);
    let answer = bench.post("/multi-exec", broken).await;
    let error = "EXECABORT Transaction discarded because of previous errors.";
    assert_eq!((answer.status, answer.json()), (400, json!({ "error": error })));
    let refused = json!([["SET", "k", "v"], ["WATCH", "k"]]);
    let answer = bench.post("/multi-exec", refused).await;
    let error = "ERR Command \"WATCH\" is not allowed in REST or it has a special context path";
    assert_eq!((answer.status, answer.json()), (400, json!({ "error": error })));
    let answer = bench.post("/", json!(["EXISTS", "k"])).await;
    assert_eq!(answer.json(), json!({"result": 0}));
}
