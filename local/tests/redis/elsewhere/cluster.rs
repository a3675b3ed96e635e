//! A cluster of two shards: what has no hash tag is refused with the remedy, what has one works on its shard.

use std::net::TcpListener;
use std::time::Duration;

use servers::RedisServer;
use shared::checks::conditions;
use shared::clock::Clock;
use shared::config::Config;
use shared::queue::{ClaimRequest, NewJob, Queue, Settlement};
use shared::redis::{Command, Error, ErrorKind, Redis};
use tokio::time::Instant;

use super::{control, until_info};

/// Two nodes, which have half of the slots each.
async fn cluster() -> [RedisServer; 2] {
    let bus = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let buses = [&bus, &other].map(|it| it.local_addr().unwrap().port().to_string());
    drop((bus, other));
    let mut nodes = Vec::new();
    for bus in &buses {
        let options = ["--cluster-enabled", "yes", "--cluster-port", bus];
        nodes.push(RedisServer::start_with(&options).await.unwrap());
    }
    let nodes: [RedisServer; 2] = nodes.try_into().unwrap();
    for (node, [first, last]) in nodes.iter().zip([["0", "8191"], ["8192", "16383"]]) {
        let _: String = control(node, &["CLUSTER", "ADDSLOTSRANGE", first, last]).await;
    }
    let port = nodes[1].port().to_string();
    let _: String = control(&nodes[0], &["CLUSTER", "MEET", "127.0.0.1", &port, &buses[1]]).await;
    for node in &nodes {
        until_info(node, &["CLUSTER", "INFO"], "cluster_state:ok").await;
        until_info(node, &["CLUSTER", "INFO"], "cluster_known_nodes:2").await;
    }
    nodes
}

/// The queue of these settings, whose calls have five seconds.
fn queue(node: &RedisServer, prefix: &str) -> Queue {
    let env = [("REDIS_URL", node.url()), ("REDIS_PREFIX", prefix.to_owned())];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let config = Config::from_env(&env as &std::collections::BTreeMap<String, String>).unwrap();
    let redis = config.redis_client().unwrap().unwrap();
    let redis = redis.until(Instant::now() + Duration::from_secs(5));
    Queue::new(redis, &config.queue, Clock::System)
}

fn job() -> NewJob {
    NewJob::new("n", "1")
}

#[track_caller]
fn assert_told(error: &Error, code: &str) {
    assert_eq!(error.kind(), &ErrorKind::Server(code.into()), "{error}");
    for part in [
        "put a hash tag into REDIS_PREFIX",
        "one shard is used and no other",
        "let REDIS_URL lead to that shard's primary",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

fn redis_error(error: shared::queue::Error) -> Error {
    match error {
        shared::queue::Error::Redis(error) => error,
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_has_no_hash_tag_is_refused_with_the_remedy() {
    let nodes = cluster().await;
    let queue = queue(&nodes[0], "engineo");
    // Before anything is tried a second time.
    let begun = Instant::now();
    assert_told(&redis_error(queue.enqueue(&[job()]).await.unwrap_err()), "CROSSSLOT");
    assert_told(&redis_error(queue.peek().await.unwrap_err()), "CROSSSLOT");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let told: Vec<String> =
        conditions(queue.redis(), "engineo").await.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("is in cluster mode") && told[0].contains("REDIS_PREFIX"), "{told:?}");
}

#[tokio::test]
async fn a_hash_tag_makes_one_shard_do_it_all_and_the_other_say_which() {
    let nodes = cluster().await;
    let slot: u64 = control(&nodes[0], &["CLUSTER", "KEYSLOT", "{engineo}"]).await;
    let [right, wrong] = if slot < 8192 { [&nodes[0], &nodes[1]] } else { [&nodes[1], &nodes[0]] };
    let queue_there = queue(right, "{engineo}");
    assert_eq!(conditions(queue_there.redis(), "{engineo}").await, []);
    queue_there.enqueue(&[job()]).await.unwrap();
    let claim = queue_there.claim(ClaimRequest::everywhere(1)).await.unwrap();
    let jobs: Vec<_> =
        claim.jobs.into_iter().map(|job| (job, Settlement::Complete("1".to_owned()))).collect();
    queue_there.settle(&claim.token, &jobs).await.unwrap();
    assert_eq!(queue_there.counts().await.unwrap().completed, 1);

    let queue = queue(wrong, "{engineo}");
    for error in [
        redis_error(queue.enqueue(&[job()]).await.unwrap_err()),
        redis_error(queue.peek().await.unwrap_err()),
    ] {
        assert_told(&error, "MOVED");
        assert!(error.to_string().contains(&format!("127.0.0.1:{}", right.port())), "{error}");
    }
    let plain = Redis::call(queue.redis(), Command::new("GET").arg("{engineo}:x")).await;
    assert_told(&plain.unwrap_err(), "MOVED");
}
