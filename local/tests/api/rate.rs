//! How often a user may POST, whichever instance they meet.

use api::Api;
use servers::RedisServer;
use shared::clock::Clock;
use shared::redis::Command;

use crate::world::{World, assert_error, serve};

const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";

/// How many commands the world's Redis has executed.
async fn executed(world: &World) -> u64 {
    let info = world.redis().call(Command::new("INFO").arg("stats")).await.unwrap();
    let mut lines = info.as_str().unwrap().lines();
    lines.find_map(|line| line.strip_prefix("total_commands_processed:")?.parse().ok()).unwrap()
}

#[tokio::test]
async fn a_user_may_post_so_often_a_minute_over_all_instances() {
    // A Redis of its own: nobody else's commands are counted.
    let redis = RedisServer::start().await.unwrap();
    let settings = [("API_POSTS_PER_MINUTE", "4"), ("REDIS_URL", &*redis.url())];
    let mut world = World::with(&settings).await;
    // The minute does not end meanwhile.
    let now_ms = Clock::System.now_ms();
    let clock = Clock::manual(now_ms);
    let mut instances = Vec::new();
    for _ in 0..2 {
        instances.push(serve(Api::with_clock(&world.config, clock.clone()).unwrap()).await);
    }
    let bulk = ("/deo-score/recompute", r#"{"projectIds": ["p1"]}"#);
    let sync = ("/projects/p1/deo-score/recompute-sync", "");
    for (instance, (path, body)) in
        [(0, (RECOMPUTE, "")), (1, bulk), (0, sync), (1, (RECOMPUTE, "[]"))]
    {
        world.base.clone_from(&instances[instance]);
        assert!(world.post("owner", path, body).await.status != 429, "{path}");
    }
    for instance in [0, 1] {
        world.base.clone_from(&instances[instance]);
        let answer = world.post("owner", RECOMPUTE, "").await;
        let message = "Too many requests; try again when Retry-After is over";
        assert_error(&answer, 429, "ThrottlerException", message, RECOMPUTE);
        let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        let minute = 60_000 - now_ms % 60_000;
        assert!((minute..minute + 1_000).contains(&(wait * 1_000)), "{wait} s of {minute} ms");
    }
    // What an instance has seen refused costs no command more.
    let before = executed(&world).await;
    for _ in 0..20 {
        assert_eq!(world.post("owner", RECOMPUTE, "").await.status, 429);
    }
    assert_eq!(executed(&world).await - before, 1, "the one that counts them");
    // Reads go on, and so do other users, and nobody's minute lasts longer.
    assert_eq!(world.get("owner", "/projects/p1/deo-score").await.status, 200);
    assert_eq!(world.post("other", "/projects/q1/deo-score/recompute", "").await.status, 201);
    let counts: Vec<String> =
        world.keys().await.into_iter().filter(|key| key.contains(":batchmq:rate-")).collect();
    assert_eq!(counts.len(), 2, "{counts:?}");
    for key in counts {
        let left = world.redis().call(Command::new("PTTL").arg(key)).await.unwrap();
        assert!((60_000..=120_000).contains(&left.as_int().unwrap()));
    }
    world.base =
        serve(Api::with_clock(&world.config, Clock::manual(now_ms + 60_000)).unwrap()).await;
    assert_eq!(world.post("owner", RECOMPUTE, "").await.status, 201);
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_and_without_a_limit_nothing_is_counted() {
    let dead = ("REDIS_URL", "redis://127.0.0.1:1");
    let world = World::with(&[dead, ("API_POSTS_PER_MINUTE", "1000")]).await;
    let sync = "/projects/p1/deo-score/recompute-sync";
    let answer = world.post("owner", sync, "").await;
    let message = "The queue cannot be reached; try again";
    assert_error(&answer, 503, "ServiceUnavailableException", message, sync);
    // Nobody gets as far as that without a token.
    assert_eq!(world.post("", sync, "").await.status, 401);
    let world = World::with(&[dead]).await;
    assert_eq!(world.post("owner", sync, "").await.status, 201);
    // Without a Redis an instance counts by itself.
    let mut world = World::with(&[("REDIS_URL", ""), ("API_POSTS_PER_MINUTE", "1")]).await;
    // The minute does not end meanwhile.
    let clock = Clock::manual(Clock::System.now_ms());
    world.base = serve(Api::with_clock(&world.config, clock).unwrap()).await;
    let answers = [world.post("owner", sync, "").await, world.post("owner", sync, "").await];
    assert_eq!(answers.map(|answer| answer.status), [201, 429]);
}
