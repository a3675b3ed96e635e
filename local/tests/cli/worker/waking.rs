//! When it works, and what it costs while it does not.

use std::time::Duration;

use gateway::{Gateway, GatewayConfig};
use serde_json::Value;
use shared::engine::alive;
use shared::queue::{JobOptions, NewJob};
use shared::redis::Command;
use tokio::time::{Instant, sleep, timeout};

use super::world::{LONG, NAME, Worker, World, asleep, executed, halfway, listed};

#[tokio::test]
async fn it_wakes_at_once_and_is_on_time_for_delayed_jobs() {
    let world = World::start().await;
    let worker = Worker::start(&world, &[]).await;
    // Not while it starts, but while it sleeps.
    asleep(&world).await;
    let mut waits = Vec::new();
    for project in 1..=5 {
        let id = world.add(project, 0).await;
        world.until(|counts| counts.completed == u64::from(project)).await;
        waits.push(world.late(&id).await);
        asleep(&world).await;
    }
    // Each sooner than the one before it.
    world.add(10, 600_000).await;
    let delayed = [world.add(11, 701).await, world.add(12, 700).await];
    world.until(|counts| counts.completed == 7).await;
    let mut lates = Vec::new();
    for id in &delayed {
        lates.push(world.late(id).await);
    }
    println!("waited {waits:?} ms; delayed jobs late by {lates:?} ms");
    waits.sort_unstable();
    // A look every so often would take half a minute. The median, since other tests run beside this one.
    assert!(waits[2] < 500, "{waits:?}");
    assert!(lates.iter().all(|late| (0..5_000).contains(late)), "{lates:?}");
    drop(worker);
}

#[tokio::test]
async fn ids_without_jobs_do_not_keep_it_from_the_job_that_it_was_woken_for() {
    let mut world = World::start().await;
    world.env.insert("QUEUE_BATCH_SIZE".to_owned(), "1".to_owned());
    // Too seldom for the job to be found by looking.
    let worker = Worker::start(&world, &["--every", "600s"]).await;
    asleep(&world).await;
    let ghosts = Command::new("RPUSH").arg("engineo:deo_score_queue:wait").arg("a").arg("b");
    world.queue.redis().call(ghosts).await.unwrap();
    let job = world.job(1, 0);
    let behind = NewJob { opts: JobOptions { priority: 1, ..job.opts }, ..job };
    world.queue.enqueue(&[behind]).await.unwrap();
    world.until(|counts| counts.completed == 1).await;
    drop(worker);
}

/// A world with 300 jobs, of which 60 may start in each span of so many milliseconds.
async fn limited(span_ms: &str) -> World {
    let mut world = World::start().await;
    world.env.insert("QUEUE_LIMITER_MAX".to_owned(), "60".to_owned());
    world.env.insert("QUEUE_LIMITER_DURATION_MS".to_owned(), span_ms.to_owned());
    world.add_all().await;
    world
}

#[tokio::test]
async fn a_limit_holds_it_back_for_as_long_as_it_lasts() {
    let world = limited("300").await;
    let begun = Instant::now();
    let worker = Worker::start(&world, &[]).await;
    world.until(|counts| counts.completed == 300).await;
    let took = begun.elapsed();
    // Four waits of 0.3 s; nobody tells of a limit's end, and a guess would take seconds each time.
    assert!(took > Duration::from_millis(1_200) && took < Duration::from_secs(15), "{took:?}");
    drop(worker);
}

#[tokio::test]
async fn what_is_added_under_a_limit_wakes_others_and_not_it() {
    let world = limited("600000").await;
    let mut worker = Worker::start(&world, &[]).await;
    while !worker.line().await.contains("limitedMs") {}
    let before = executed(&world).await;
    for project in 1..=20 {
        world.add(project, 0).await;
    }
    sleep(Duration::from_millis(500)).await;
    let after = executed(&world).await;
    let spent = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
    // The adds' own.
    assert_eq!((spent("evalsha"), spent("bzpopmin")), (20, 0), "{before:?} {after:?}");
    let marker = Command::new("ZCARD").arg("engineo:deo_score_queue:marker");
    assert_eq!(world.queue.redis().call(marker).await.unwrap().as_int(), Some(1));
    drop(worker);
}

#[tokio::test]
async fn it_comes_back_when_redis_does() {
    let mut world = World::start().await;
    let worker = Worker::start(&world, &[]).await;
    asleep(&world).await;
    world.redis.kill();
    world.redis.restart().await.unwrap();
    let again = asleep(&world).await;
    assert!(again.contains(NAME), "{again}");
    world.add(1, 0).await;
    world.until(|counts| counts.completed == 1).await;
    drop(worker);
}

#[tokio::test]
async fn it_gives_a_sign_of_life_before_there_is_work() {
    let world = World::start().await;
    let worker = Worker::start(&world, &[]).await;
    let seen = async {
        while alive(&world.queue).await.unwrap().last_seen.is_none() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LONG, seen).await.expect("a sign of life");
    drop(worker);
}

#[tokio::test]
async fn it_is_listed_before_its_first_sleep() {
    let world = World::start().await;
    let (worker, blocker) = halfway(&world).await;
    listed(&world, |line| line.contains(NAME)).await;
    blocker.batch_execute("ROLLBACK").await.unwrap();
    drop(worker);
}

#[tokio::test]
async fn while_idle_it_costs_two_commands_a_look_and_no_connection_to_postgres() {
    let world = World::start().await;
    let worker = Worker::start(&world, &["--every", "1s"]).await;
    world.add(1, 0).await;
    world.until(|counts| counts.completed == 1).await;
    assert!(world.connections().await > 0);
    let closed = async {
        while world.connections().await > 0 {
            sleep(Duration::from_millis(50)).await
        }
    };
    // The looks of each second do not keep it open: nothing asks the database.
    timeout(LONG, closed).await.expect("the connection to be closed");

    let before = executed(&world).await;
    sleep(Duration::from_secs(5)).await;
    let after = executed(&world).await;
    let spent = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
    let all: u64 = after.keys().map(|name| spent(name)).sum::<u64>() - spent("info");
    println!("idle for 5 s, looking each second: {all} commands");
    assert_eq!(all, spent("bzpopmin") + spent("exists"), "{before:?} {after:?}");
    assert!((4..=12).contains(&all), "{all}");
    drop(worker);
}

#[tokio::test]
async fn over_rest_it_looks_every_so_often_and_says_so() {
    let world = World::start().await;
    let gateway = Gateway::start(GatewayConfig::new(world.redis.url(), "token")).await.unwrap();
    let mut env = world.env.clone();
    env.remove("REDIS_URL");
    env.insert("UPSTASH_REDIS_REST_URL".to_owned(), gateway.url());
    env.insert("UPSTASH_REDIS_REST_TOKEN".to_owned(), "token".to_owned());
    let mut worker = Worker::begin(&env, &["--every", "1s"]);
    let first = worker.line().await;
    assert!(first.contains("REST cannot wait for jobs") && first.contains("every 1 s"), "{first}");
    world.add(1, 0).await;
    let report: Value = serde_json::from_str(&worker.line().await).unwrap();
    assert_eq!(report["completed"], 1, "{report}");
    worker.terminate();
    assert_eq!(worker.ended().await.code(), Some(0));
}
