//! A server that says what a test tells it to: what Redis before 7 says of a script, and what none says on demand.

use std::time::Duration;

use shared::clock::Clock;
use shared::config::{Endpoint, Secret};
use shared::queue::{Error, NewJob, Queue, QueueOptions};
use shared::redis::{Command, ErrorKind, Redis, Script, Value};
use tokio::time::Instant;

use crate::faults::scripted::{Protocol, Reaction, Scripted};

static SCRIPT: Script =
    Script { name: "one", source: "return {1, redis.call('INCR', KEYS[1])}", replay_safe: false };

async fn start(reactions: impl IntoIterator<Item = String>) -> (Scripted, Redis) {
    let reactions = reactions.into_iter().map(|text| Reaction::Reply(text.into_bytes()));
    let server = Scripted::start(Protocol::Resp, reactions).await;
    let url = Secret::new(format!("redis://{}", server.address()));
    (server, Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap())
}

fn connections(server: &Scripted) -> Vec<usize> {
    server.seen().iter().map(|seen| seen.connection).collect()
}

#[tokio::test]
async fn a_refusal_inside_a_script_leads_elsewhere_as_the_command_s_own_does() {
    let call = "-ERR Error running script (call to f_0123): @user_script:1:";
    let refusal = "READONLY You can't write against a read only replica.\r\n";
    for told in [
        format!("{call} @user_script: 1: -{refusal}"),
        format!("{call} -{refusal}"),
        format!("{call} {refusal}"),
        format!("-{refusal}"),
    ] {
        let (server, redis) = start([told.clone(), "*2\r\n:1\r\n:1\r\n".to_owned()]).await;
        let answer = redis.run(&SCRIPT, &["n".to_owned()], Vec::new()).await.unwrap();
        assert_eq!((answer, connections(&server)), (vec![Value::Int(1)], vec![0, 1]), "{told}");
    }
}

#[tokio::test]
async fn what_was_refused_for_another_reason_is_neither_repeated_nor_left() {
    for told in ["-OOM command not allowed\r\n", "-MISCONF no\r\n", "-ERR READONLY\r\n"] {
        let (server, redis) = start([told.to_owned(), ":1\r\n".to_owned()]).await;
        redis.call(Command::new("INCR").arg("n")).await.unwrap_err();
        redis.call(Command::new("INCR").arg("n")).await.unwrap();
        assert_eq!(connections(&server), [0, 0], "{told}");
    }
}

#[tokio::test]
async fn each_that_is_not_the_one_to_ask_is_left_for_whoever_the_name_leads_to() {
    for code in ["READONLY", "LOADING", "MASTERDOWN", "MOVED 1 127.0.0.1:1", "UNBLOCKED"] {
        let refusal = format!("-{code} x\r\n");
        let (server, redis) = start([refusal, ":1\r\n".to_owned()]).await;
        assert_eq!(redis.call(Command::new("INCR").arg("n")).await.unwrap(), Value::Int(1));
        assert_eq!(connections(&server), [0, 1], "{code}");
    }
}

/// A first try's answer was lost, and every later one meets a server that is not the one to ask: what became of the
/// first is as open as before.
#[tokio::test]
async fn a_refusal_says_nothing_of_a_try_before_it_whose_answer_was_lost() {
    for code in ["READONLY", "LOADING", "MASTERDOWN", "BUSY"] {
        let lost = || {
            let refused = Reaction::Reply(format!("-{code} x\r\n").into_bytes());
            std::iter::once(Reaction::Close).chain(std::iter::repeat_n(refused, 100))
        };
        let soon = || Instant::now() + Duration::from_secs(3);
        let server = Scripted::start(Protocol::Resp, lost()).await;
        let url = Secret::new(format!("redis://{}", server.address()));
        let endpoint = Endpoint::Tcp { url, allow_plaintext: false };
        let set = Command::new("SET").arg("k").arg("v").replay_safe();
        let error = Redis::new(&endpoint).unwrap().until(soon()).call(set).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Ambiguous, "{code}: {error}");

        let server = Scripted::start(Protocol::Resp, lost()).await;
        let url = Secret::new(format!("redis://{}", server.address()));
        let endpoint = Endpoint::Tcp { url, allow_plaintext: false };
        let redis = Redis::new(&endpoint).unwrap().until(soon());
        let queue = Queue::new(redis, &QueueOptions::new("q"), Clock::System);
        match queue.enqueue(&[NewJob::new("n", "1")]).await.unwrap_err() {
            Error::Redis(error) => {
                assert_eq!(error.kind(), &ErrorKind::Ambiguous, "{code}: {error}")
            }
            error => panic!("{error}"),
        }
        assert!(server.seen().len() > 1, "it was asked for again");
    }
}
