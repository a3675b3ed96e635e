//! A failover behind one address: the connection that was open stays with the demoted server.

use std::time::Duration;

use shared::clock::Clock;
use shared::queue::{ClaimRequest, NewJob, Queue, QueueOptions, Settlement};
use shared::redis::{Command, ErrorKind, Redis, Script, Value};
use tokio::time::{Instant, sleep};

use super::control;
use super::pair::Pair;

fn incr() -> Command {
    Command::new("INCR").arg("n")
}

/// A script that writes nothing where a write is refused, and says why as its own answer.
static CATCHES: Script = Script {
    name: "catches",
    source: "local done, refusal = pcall(redis.call, 'INCR', KEYS[1])
             if done then return {1, refusal} end
             local text = string.gsub(refusal.err or refusal, '^-', '')
             return redis.error_reply(text)",
    replay_safe: false,
};
static RAISES: Script = Script {
    name: "raises",
    source: "redis.call('GET', KEYS[1]) return {2, redis.call('INCR', KEYS[1])}",
    replay_safe: false,
};
/// Whose refusal stands inside its answer.
static NESTS: Script = Script {
    name: "nests",
    source: "return {1, redis.pcall('INCR', KEYS[1])}",
    replay_safe: false,
};

/// What is asked within a moment, over a connection to the server that was demoted.
async fn quickly<T>(what: &str, asked: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let answer = asked.await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{what} took {:?}", begun.elapsed());
    answer
}

async fn number(pair: &Pair) -> i64 {
    control(&pair.new, &["GET", "n"]).await
}

#[tokio::test]
async fn a_write_goes_to_the_new_primary_at_once_and_just_once() {
    let pair = Pair::start().await;
    let redis = pair.client();
    assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(1));
    pair.fail_over().await;
    let redis = redis.metered();
    assert_eq!(quickly("INCR", redis.call(incr())).await.unwrap(), Value::Int(2));
    assert_eq!(redis.usage().round_trips, 2, "one to each server");
    assert_eq!(redis.call(incr()).await.unwrap(), Value::Int(3));
    assert_eq!((redis.usage().round_trips, number(&pair).await), (3, 3));
}

#[tokio::test]
async fn reads_stay_where_they_are_and_writes_do_not() {
    let pair = Pair::start().await;
    let redis = pair.client();
    redis.call(incr()).await.unwrap();
    pair.fail_over().await;
    let get = || Command::new("GET").arg("n").replay_safe();
    assert_eq!(redis.call(get()).await.unwrap(), Value::Bytes(b"1".to_vec()));
    quickly("INCR", redis.call(incr())).await.unwrap();
    assert_eq!(redis.call(get()).await.unwrap(), Value::Bytes(b"2".to_vec()));
}

#[tokio::test]
async fn a_script_s_refusal_is_one_however_the_script_tells_it() {
    for script in [&CATCHES, &RAISES, &NESTS] {
        let pair = Pair::start().await;
        let redis = pair.client();
        let keys = ["n".to_owned()];
        for expected in 1..=2 {
            let answer = redis.run(script, &keys, Vec::new()).await.unwrap();
            assert_eq!(answer, [Value::Int(expected)], "{}", script.name);
        }
        pair.fail_over().await;
        let answer = quickly(script.name, redis.run(script, &keys, Vec::new())).await.unwrap();
        assert_eq!((answer, number(&pair).await), (vec![Value::Int(3)], 3), "{}", script.name);
    }
}

#[tokio::test]
async fn a_discarded_transaction_is_sent_again_and_a_pipeline_is_not() {
    let pair = Pair::start().await;
    let redis = pair.client();
    let two = || vec![incr(), incr()];
    redis.transaction(two()).await.unwrap();
    pair.fail_over().await;
    let answers = quickly("MULTI", redis.transaction(two())).await.unwrap();
    let answers: Vec<Value> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!((answers, number(&pair).await), (vec![Value::Int(3), Value::Int(4)], 4));

    let pair = Pair::start().await;
    let redis = pair.client();
    redis.call(incr()).await.unwrap();
    pair.fail_over().await;
    // Its items are executed one by one: some may have been by a server that is demoted in between.
    for answer in redis.pipeline(two()).await.unwrap() {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Server("READONLY".into()));
        assert!(error.left_no_trace(), "{error}");
    }
    let answers = redis.pipeline(two()).await.unwrap();
    assert!(answers.iter().all(Result::is_ok), "over a new connection: {answers:?}");
    assert_eq!(number(&pair).await, 3);
}

#[tokio::test]
async fn an_address_that_leads_over_later_is_waited_for_within_the_time_that_there_is() {
    let pair = Pair::start().await;
    let redis = pair.client();
    redis.call(incr()).await.unwrap();
    pair.swap_roles().await;
    let asked = redis.call(incr());
    let led = async {
        sleep(Duration::from_millis(700)).await;
        pair.lead_over();
    };
    let (answer, ()) = tokio::join!(asked, led);
    assert_eq!((answer.unwrap(), number(&pair).await), (Value::Int(2), 2));

    // Where it never does, that is told within a fifth of the time.
    let pair = Pair::start().await;
    let redis = pair.client();
    redis.call(incr()).await.unwrap();
    pair.swap_roles().await;
    let begun = Instant::now();
    let error = redis.until(begun + Duration::from_secs(5)).call(incr()).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(error.kind(), &ErrorKind::Server("READONLY".into()));
    assert!(error.to_string().contains("has to lead to the primary"), "{error}");
    assert!(error.left_no_trace(), "{error}");
}

#[tokio::test]
async fn a_replica_without_its_primary_is_left_as_well() {
    let pair = Pair::start().await;
    let redis = pair.client();
    redis.call(incr()).await.unwrap();
    pair.until_the_same().await;
    let _: String = control(&pair.new, &["REPLICAOF", "NO", "ONE"]).await;
    let _: String = control(&pair.old, &["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
    let _: String = control(&pair.old, &["REPLICAOF", "127.0.0.1", "1"]).await;
    // Not even reads are answered there (MASTERDOWN).
    let get = Command::new("GET").arg("n").replay_safe();
    let error = redis.until(Instant::now() + Duration::from_millis(500)).call(get.clone()).await;
    assert_eq!(error.unwrap_err().kind(), &ErrorKind::Server("MASTERDOWN".into()));
    pair.lead_over();
    assert_eq!(quickly("GET", redis.call(get)).await.unwrap(), Value::Bytes(b"1".to_vec()));
}

fn queue(redis: Redis) -> Queue {
    Queue::new(redis, &QueueOptions::new("q"), Clock::System)
}

/// Every call of the queue that writes, over a connection that a failover left with the demoted server: none answers as
/// if it had written there.
#[tokio::test]
async fn whatever_the_queue_writes_is_written_on_the_new_primary() {
    let job = |data: &str| NewJob::new("n", data);
    for step in ["enqueue", "claim", "settle", "recover", "renew", "pause", "remove", "beat"] {
        let pair = Pair::start().await;
        let queue = queue(pair.client());
        let there = queue.over(super::client(pair.new.port()));
        let ids = queue.enqueue(&[job("1"), job("2"), job("3")]).await.unwrap();
        let one = ClaimRequest::everywhere(1);
        let claim = queue.claim(one).await.unwrap();
        assert_eq!(claim.jobs.len(), 1);
        pair.fail_over().await;
        let before = there.counts().await.unwrap();
        assert_eq!((before.wait, before.active), (2, 1), "{step}");
        let token = &claim.token;
        let done = async {
            match step {
                "enqueue" => drop(queue.enqueue(&[job("4")]).await.unwrap()),
                "claim" => drop(queue.claim(one).await.unwrap()),
                "settle" => {
                    let ended = Settlement::Complete("1".to_owned());
                    let settled = queue.settle(token, &[(claim.jobs[0].clone(), ended)]).await;
                    assert_eq!(settled.unwrap().codes.len(), 1);
                }
                "recover" => drop(queue.recover().await.unwrap()),
                "renew" => {
                    queue.renew(token, &[claim.jobs[0].id.clone()]).await.unwrap();
                }
                "pause" => queue.pause().await.unwrap(),
                "remove" => {
                    queue.remove(&ids[2].id).await.unwrap();
                }
                "beat" => queue.beat("{}").await.unwrap(),
                _ => unreachable!("{step}"),
            }
        };
        quickly(step, done).await;
        let after = there.counts().await.unwrap();
        let told = match step {
            "enqueue" => after.wait == 3,
            "claim" => (after.wait, after.active) == (1, 2),
            "settle" => (after.active, after.completed) == (0, 1),
            "pause" => after.paused == 2,
            "remove" => after.wait == 1,
            _ => after.wait == 2 && after.active == 1,
        };
        assert!(told, "{step}: {after:?}");
    }
}
