//! Receivers that take no requests: no job pays for that.

use super::*;

/// And ends the tick: the second batch, if there is one, waits for the next.
async fn goes_back(name: &str, reply: fn(&Value) -> Reply, error: &str) -> World {
    let world = World::new(name, &["a", "b"], reply).await;
    let report = world.tick().await;
    assert_eq!(world.jobs().await, [BACK, BACK], "{name}");
    assert_eq!((report.stopped_because, report.released), (StoppedBecause::Error, 2), "{name}");
    let told = report.error.unwrap();
    assert!(told.contains(error) && !told.contains(&world.receiver.url), "{name}: {told}");
    assert_eq!(world.receiver.sizes(), [2], "{name}");
    world
}

#[tokio::test]
async fn a_receiver_that_takes_no_requests_costs_no_attempt() {
    goes_back("401", |_| status(401), "status 401").await;
    goes_back("403", |_| status(403), "status 403").await;
    goes_back("404", |_| status(404), "status 404").await;
    goes_back("405", |_| status(405), "status 405").await;
    goes_back("410", |_| status(410), "status 410").await;
    goes_back(
        "redirect",
        |_| Reply::Answer(307, "location: /jobs\r\n", String::new()),
        "status 307",
    )
    .await;
    let page = |_: &Value| {
        Reply::Answer(200, "content-type: text/html; charset=utf-8\r\n", "<p>".to_owned())
    };
    goes_back("page", page, "page of HTML").await;
}

#[tokio::test]
async fn a_receiver_that_is_not_there_costs_no_attempt() {
    let world = World::with(
        "unreachable",
        &["a", "b"],
        // Nobody listens on this port: ephemeral ones begin higher.
        |options| ForwardOptions { url: Secret::new("http://127.0.0.1:9/jobs"), ..options },
        |_| Reply::Hang,
    )
    .await;
    let report = world.tick().await;
    assert_eq!(world.jobs().await, [BACK, BACK]);
    assert_eq!((report.stopped_because, report.batches), (StoppedBecause::Error, 1), "{report:?}");
    let error = "the receiver cannot be reached: no connection";
    assert_eq!(report.error.as_deref(), Some(error));
    let unknown = options("https://nobody.invalid/jobs");
    let forward = Forward::new(unknown).unwrap();
    let jobs = [shared::engine::testing::job("1", "1")];
    let error = shared::engine::testing::run(&forward, &jobs).await.unwrap_err().to_string();
    assert!(error.starts_with("the receiver cannot be reached"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_has_too_much_to_do_is_left_alone_for_as_long_as_it_says() {
    let busy = |_: &Value| Reply::Answer(429, "retry-after: 600\r\n", String::new());
    let world = goes_back("429", busy, "status 429").await;
    let resting = world.forward.resting().unwrap();
    assert!((590..=600).contains(&resting.as_secs()), "{resting:?}");
    // Nothing is claimed meanwhile.
    let report = world.tick().await;
    assert_eq!((report.claimed, report.stopped_because), (0, StoppedBecause::Held), "{report:?}");
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![BACK, BACK], vec![2]));
    let world = goes_back("503", |_| status(503), "status 503").await;
    assert_eq!(world.forward.resting(), None);
}
