//! What keeps a stage from working on its queue, and whoever may not look at it.

use std::num::NonZeroU32;

use local::doctor::{Verdict, examine};
use local::permissions::Function;
use local::permissions::redis::line;
use shared::queue::{ClaimRequest, NewJob};
use shared::redis::Command;

use super::{command, ill, is_named, is_named_not, stage};

#[tokio::test]
async fn a_stage_that_does_nothing_is_told_with_what_lets_it_go_on() {
    let world = stage(Vec::new()).await;
    let mut off = world.env.clone();
    off.insert("ENABLE_QUEUE_PROCESSORS".to_owned(), "false".to_owned());
    is_named(&off, "settings", Verdict::Warn).await;
    let report = examine(&off, Some(Function::Api), false).await;
    assert!(ill(&report).iter().all(|it| it.0 != "settings"), "{:#?}", report.checks);

    let check = async |name: &str| {
        let report = examine(&world.env, None, false).await;
        report.checks.into_iter().find(|check| check.name == name).unwrap()
    };
    let jobs =
        ["a", "b"].map(|project| NewJob::new("recompute", format!(r#"{{"p":"{project}"}}"#)));
    world.queue.enqueue(&jobs).await.unwrap();
    world.queue.pause().await.unwrap();
    is_named(&world.env, "queue.held", Verdict::Warn).await;
    assert!(check("queue.held").await.remedy.contains("deo queue resume"));
    assert!(check("queue.counts").await.told.contains("2 waiting"));
    world.queue.resume().await.unwrap();
    is_named_not(&world.env, "queue.held").await;

    world.queue.limit_concurrency(NonZeroU32::new(1)).await.unwrap();
    world.queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
    is_named(&world.env, "queue.held", Verdict::Warn).await;
    let held = check("queue.held").await;
    assert!(held.told.contains("full") && held.remedy.contains("--concurrency none"), "{held}");
    world.queue.limit_concurrency(None).await.unwrap();
    is_named_not(&world.env, "queue.held").await;

    let report = r#"{"claimed":2,"stoppedBecause":"error","error":"no room\u001b[2J left"}"#;
    world.queue.beat(report).await.unwrap();
    is_named(&world.env, "queue.heartbeat", Verdict::Warn).await;
    let heartbeat = check("queue.heartbeat").await;
    assert!(heartbeat.told.contains("(no room [2J left)"), "{heartbeat}");
    world.queue.beat(r#"{"claimed":2,"stoppedBecause":"empty"}"#).await.unwrap();
    is_named_not(&world.env, "queue.heartbeat").await;

    let failed = format!("{}:deo_score_queue:failed", world.config().queue.prefix);
    command(&world, &["SET", &failed, "theirs"]).await;
    is_named(&world.env, "queue.counts", Verdict::Fail).await;
    let counts = check("queue.counts").await;
    assert!(counts.told.contains(&failed) && counts.told.contains("WRONGTYPE"), "{counts}");
}

#[tokio::test]
async fn what_a_functions_user_may_not_read_is_no_failure() {
    let world = stage(Vec::new()).await;
    let url = world.redis.url();
    let (_, place) = url.rsplit_once(['/', '@']).unwrap();
    for function in [Function::Drain, Function::Cron, Function::Worker] {
        let prefix = &world.config().queue.prefix;
        let user = line(function, prefix, ["deo_score_queue"]).replace("PASSWORD", "canary");
        let mut words = user.split(' ');
        let acl = Command::new("ACL").args(words.by_ref().skip(1));
        world.queue.redis().call(acl).await.unwrap();
        let mut env = world.env.clone();
        env.retain(|name, _| !name.starts_with("UPSTASH"));
        env.insert("REDIS_URL".to_owned(), format!("redis://deo-{function}:canary@{place}"));
        let report = examine(&env, Some(function), false).await;
        let ill = ill(&report);
        assert!(ill.contains(&("queue.heartbeat", Verdict::Warn)), "{:#?}", report.checks);
        assert!(ill.iter().all(|it| it.1 == Verdict::Warn), "{:#?}", report.checks);
        let told = serde_json::to_string(&report).unwrap();
        assert!(!told.contains("read-only") && !told.contains("canary"), "{told}");
    }
}
