//! A Redis that answers, and takes no jobs: clients hear why by a code, and the health check remembers it.

use serde_json::{Value, json};
use shared::redis::Command;

use crate::world::{Answer, World};

const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";
const BULK: &str = "/deo-score/recompute";

async fn control(world: &World, words: &[&str]) {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let name: &'static str = words[0].clone().leak();
    world.redis().call(Command::new(name).args(words[1..].to_vec())).await.unwrap();
}

async fn ask(world: &World) -> Answer {
    world.post("owner", RECOMPUTE, "").await
}

/// What the health check says: its status, the whole, and why Redis refuses.
async fn health(world: &World) -> (u16, Value, Value) {
    let answer = world.get("", "/health").await;
    let mut body = answer.json();
    assert_eq!(body["redis"]["status"], "ok", "it answers");
    (answer.status, body["status"].take(), body["redis"]["refuses"].take())
}

fn degraded(refuses: &str) -> (u16, Value, Value) {
    (503, json!("degraded"), json!(refuses))
}

fn healthy() -> (u16, Value, Value) {
    (200, json!("ok"), Value::Null)
}

#[track_caller]
fn assert_refused(answer: &Answer, code: &str, says: &str) {
    let error = answer.json();
    assert_eq!(
        (answer.status, &error["error"], &error["code"]),
        (503, &json!("ServiceUnavailableException"), &json!(code)),
        "{error}"
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(says), "{message}");
    // Neither the key nor Redis' own words.
    assert!(!answer.text.contains("engineo") && !message.contains("script"), "{error}");
}

#[tokio::test]
async fn a_full_redis_is_told_until_it_has_room() {
    let world = World::with_own_redis().await;
    assert_eq!(ask(&world).await.status, 201);
    control(&world, &["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(health(&world).await, healthy(), "nobody has written");
    let body = json!({"projectIds": ["p2", "p3"]}).to_string();
    for answer in [
        world.post("owner", "/projects/p2/deo-score/recompute", "").await,
        world.post("owner", BULK, &body).await,
    ] {
        assert_refused(&answer, "QUEUE_FULL", "full; try again later");
    }
    assert_eq!(health(&world).await, degraded("full"));
    assert_eq!(health(&world).await, degraded("full"), "still");
    control(&world, &["CONFIG", "SET", "maxmemory", "0"]).await;
    // Without anybody asking for anything.
    assert_eq!(health(&world).await, healthy());
    assert_eq!(world.post("owner", BULK, &body).await.status, 202);
}

#[tokio::test]
async fn a_replica_is_told_until_it_is_a_primary_again() {
    let world = World::with_own_redis().await;
    control(&world, &["REPLICAOF", "127.0.0.1", "1"]).await;
    assert_refused(&ask(&world).await, "QUEUE_READ_ONLY", "try again in a few seconds");
    assert_eq!(health(&world).await, degraded("read_only"));
    control(&world, &["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(health(&world).await, healthy());
    assert_eq!(ask(&world).await.status, 201);
}

#[tokio::test]
async fn a_server_that_cannot_save_is_read_only() {
    let world = World::with_own_redis().await;
    // As after a snapshot that could not be written, but for its end: one replica too few.
    control(&world, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    assert_refused(&ask(&world).await, "QUEUE_READ_ONLY", "no jobs at the moment");
    control(&world, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    assert_eq!(health(&world).await, healthy());
}

#[tokio::test]
async fn a_key_of_another_type_is_told_until_a_write_is_taken() {
    let world = World::with_own_redis().await;
    let key = format!("{}:{}:id", world.config.queue.prefix, world.config.queue.name);
    control(&world, &["RPUSH", &key, "x"]).await;
    assert_refused(&ask(&world).await, "QUEUE_WRONG_TYPE", "somebody has to mend it");
    assert_eq!(health(&world).await, degraded("wrong_type"));
    control(&world, &["DEL", &key]).await;
    // No write but the same kind of it can tell.
    assert_eq!(health(&world).await, degraded("wrong_type"));
    assert_eq!(ask(&world).await.status, 201);
    assert_eq!(health(&world).await, healthy());
}

#[tokio::test]
async fn a_write_beside_the_queue_says_nothing_of_the_queue() {
    let world = World::with_own_redis_and(&[("API_POSTS_PER_MINUTE", "1000")]).await;
    let key = format!("{}:{}:id", world.config.queue.prefix, world.config.queue.name);
    control(&world, &["RPUSH", &key, "x"]).await;
    assert_refused(&ask(&world).await, "QUEUE_WRONG_TYPE", "somebody has to mend it");
    // It is counted, and goes no further.
    let unknown = world.post("owner", "/projects/none/deo-score/recompute", "").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(health(&world).await, degraded("wrong_type"));
}

#[tokio::test]
async fn a_user_who_may_not_is_told() {
    let mut world = World::with_own_redis().await;
    world.serve_as("api", &["-evalsha", "-eval"]).await;
    assert_refused(&ask(&world).await, "QUEUE_NO_PERMISSION", "does not let us in");
    assert_eq!(health(&world).await, degraded("no_permission"));
    control(&world, &["ACL", "SETUSER", "api", "+@all"]).await;
    assert_eq!(ask(&world).await.status, 201);
    assert_eq!(health(&world).await, healthy());
    // What is read may be refused as well, and is no write.
    control(&world, &["ACL", "SETUSER", "api", "-hmget", "-hgetall", "-eval", "-evalsha"]).await;
    let answer = world.get("owner", "/jobs/1").await;
    assert_refused(&answer, "QUEUE_NO_PERMISSION", "does not let us in");
    assert_eq!(health(&world).await, healthy());
}

#[tokio::test]
async fn a_look_at_a_healthy_redis_takes_one_command_and_at_another_two() {
    let world = World::with_own_redis().await;
    assert_eq!(ask(&world).await.status, 201);
    // INFO counts itself.
    let cost = async || {
        let before = world.executed().await;
        health(&world).await;
        world.executed().await - before - 1
    };
    assert_eq!(cost().await, 1);
    control(&world, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    let answer = world.post("owner", "/projects/p2/deo-score/recompute", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(cost().await, 1, "a refused SET is not counted as executed");
    control(&world, &["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    assert_eq!(cost().await, 2);
    assert_eq!(cost().await, 1);
    let queue = &world.config.queue;
    let left = Command::new("TTL").arg(format!("{}:{}:batchmq:probe", queue.prefix, queue.name));
    let left = world.redis().call(left).await.unwrap().as_int().unwrap();
    assert!((0..=10).contains(&left), "{left}");
}
