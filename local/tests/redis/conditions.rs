//! What Redis tells of itself, asked as its users may.

use servers::RedisServer;
use shared::checks::{CONDITIONS, Severity, conditions};
use shared::config::{Endpoint, Secret};
use shared::redis::Redis;

async fn control(server: &RedisServer, words: &[&str]) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).exec_async(&mut connection).await.unwrap();
}

fn user(server: &RedisServer, user: &str) -> Redis {
    let url = server.url().replace("redis://", &format!("redis://{user}:pw@"));
    Redis::new(&Endpoint::Tcp { url: Secret::new(url), allow_plaintext: false }).unwrap()
}

async fn told(redis: &Redis) -> Vec<String> {
    conditions(redis, "engineo").await.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn an_eviction_policy_is_told_to_whoever_may_ask_for_info_or_config() {
    let server = RedisServer::start().await.unwrap();
    let all = ["ACL", "SETUSER"];
    for (user, may_not) in [("any", ""), ("noinfo", "-info"), ("noconfig", "-config")] {
        let rules = [user, "on", ">pw", "~*", "+@all"];
        let words: Vec<&str> =
            all.into_iter().chain(rules).chain((!may_not.is_empty()).then_some(may_not)).collect();
        control(&server, &words).await;
    }
    control(
        &server,
        &["ACL", "SETUSER", "neither", "on", ">pw", "~*", "+@all", "-info", "-config"],
    )
    .await;
    for policy in ["allkeys-lru", "volatile-ttl"] {
        control(&server, &["CONFIG", "SET", "maxmemory-policy", policy]).await;
        for name in ["any", "noinfo", "noconfig"] {
            assert_eq!(
                told(&user(&server, name)).await,
                [format!(
                    "Redis deletes keys when it is full (its eviction policy is `{policy}`), and jobs with them: \
                     set `maxmemory-policy` to `noeviction`; at Upstash, switch eviction off."
                )],
                "{name}"
            );
        }
        assert_eq!(told(&user(&server, "neither")).await, [""; 0]);
    }
    control(&server, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    for (name, asked) in [("any", 1), ("noinfo", 2), ("noconfig", 1), ("neither", 2)] {
        let redis = user(&server, name).metered();
        assert_eq!(told(&redis).await, [""; 0]);
        assert_eq!(redis.usage().round_trips, asked, "{name}");
        assert!(asked <= CONDITIONS);
    }
}

#[tokio::test]
async fn a_replica_and_a_full_server_are_told() {
    let server = RedisServer::start().await.unwrap();
    let url = Secret::new(server.url());
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
    control(&server, &["CONFIG", "SET", "maxmemory", "1mb"]).await;
    control(&server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let found = conditions(&redis, "engineo").await;
    let found: Vec<_> =
        found.iter().map(|it| (it.severity, it.wrong.split(',').next().unwrap())).collect();
    assert_eq!(found[0], (Severity::Error, "is a replica"));
    assert!(
        // Servers differ in what they hold before they hold anything.
        ["is nearly full (", "holds more than it may ("]
            .iter()
            .any(|how| found[1].1.starts_with(how)),
        "{found:?}"
    );
    assert_eq!((found[1].0, found.len()), (Severity::Warning, 2));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_no_condition_and_holds_nobody_up() {
    let url = Secret::new("redis://127.0.0.1:1");
    let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(told(&redis).await, [""; 0]);
    assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
}
