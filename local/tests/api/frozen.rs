//! The real function on Lambda's Runtime API, frozen whenever Lambda may freeze it: as soon as it asks
//! for its next event.

use std::time::Duration;

use axum::http::StatusCode;
use fixture::built;
use local::runtime_api::Function;
use serde_json::Value;
use shared::config::Endpoint as RedisEndpoint;
use shared::queue::Settlement;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, timeout};

use crate::wake::Endpoint;
use crate::world::{SECRET, World, token};

const RECOMPUTE: &str = include_str!("../../events/recompute.json");

fn recompute(project: &str) -> String {
    RECOMPUTE.replace("PROJECT", project).replace("TOKEN", &token("owner"))
}

/// Asks for a recompute in a function that is frozen before and after; when it had answered.
async fn ask(function: &mut Function, project: &str) -> Instant {
    function.thaw().unwrap();
    let begun = Instant::now();
    let invocation = function.invoke(&recompute(project)).await.unwrap();
    function.freeze().unwrap();
    let answer: Value = serde_json::from_str(&invocation.answer).unwrap();
    assert_eq!(answer["statusCode"], 201, "{answer}");
    begun + invocation.took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_up_that_was_put_off_is_sent_after_the_answer_and_before_the_freeze() {
    let programs = tokio::task::spawn_blocking(built::functions).await.unwrap();
    let (tell, mut rings) = unbounded_channel();
    let behave = move || {
        tell.send(Instant::now()).unwrap();
        async { StatusCode::OK }
    };
    let endpoint = Endpoint::start(behave).await;
    let world = World::start().await;
    let Some(RedisEndpoint::Tcp { url: redis, .. }) = &world.config.redis else {
        panic!("not TCP")
    };
    let database = world.config.database_url.as_ref().unwrap();
    let settings = [
        ("REDIS_URL", redis.expose()),
        ("REDIS_PREFIX", &world.config.queue.prefix),
        ("DATABASE_URL", database.expose()),
        ("JWT_SECRET", SECRET),
        ("DRAIN_WAKE_URL", &endpoint.url),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let none: [&str; 0] = [];
    let mut function =
        Function::start("api", programs.join("api"), &none, &settings).await.unwrap();

    // Each request finds no job waiting, and so asks for a drain: the second one too soon after the
    // first. Where the machine is so busy that it is not too soon, a later one.
    for project in ["p1", "p2", "p3"].iter().cycle().take(30) {
        let answered = ask(&mut function, project).await;
        // What has not been sent by now cannot be: the function stands still.
        let rung = timeout(Duration::from_secs(5), rings.recv()).await.expect("a wake-up").unwrap();
        world.settle(world.claim().await, Settlement::Complete("null".to_owned())).await;
        if rung > answered {
            return;
        }
    }
    panic!("no two requests were within 250 ms");
}
