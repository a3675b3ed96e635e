//! Requests for which there is little time.

use super::*;

#[tokio::test]
async fn a_job_that_takes_too_long_fails_alone_and_its_mates_complete() {
    let brief = |options| ForwardOptions { timeout: Duration::from_secs(1), ..options };
    let words = ["a", "b", "c", "d", "e", "f", "g", "slow"];
    let world = World::with("slow", &words, brief, fails(&["slow"], || Reply::Hang)).await;
    world.tick().await;
    let jobs = world.jobs().await;
    assert_eq!((&jobs[..7], jobs[7]), (&[DONE; 7][..], AGAIN), "{:?}", world.receiver.sizes());
    let reason = world.field(7, "failedReason").await;
    assert_eq!(reason.as_deref(), Some("The receiver did not answer within 1000 ms"));
    // It remembers that so many are too much, and is quicker the next time.
    let before = world.receiver.sizes().len();
    add(&world.queue, &["h", "i", "j", "k", "l"]).await;
    world.tick().await;
    assert!(world.receiver.sizes()[before] < 5, "{:?}", world.receiver.sizes());
}

#[tokio::test]
async fn a_request_that_had_less_than_its_time_makes_none_smaller() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let world = World::new("brief", &["a", "b", "c", "d"], move |request| {
        match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => Reply::Hang,
            false => all(request, "completed"),
        }
    })
    .await;
    let report = world.ticker.tick(Instant::now() + Duration::from_millis(4_500)).await;
    assert_eq!(world.jobs().await, [BACK; 4], "{report:?}");
    world.tick().await;
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![DONE; 4], vec![4, 4]));
}

#[tokio::test]
async fn what_is_answered_before_the_time_is_up_counts_and_the_rest_goes_back() {
    let brief = |options| ForwardOptions { timeout: Duration::from_secs(2), ..options };
    let reply = |request: &Value| match request["jobs"].as_array().unwrap().len() {
        1 if request["jobs"][0]["data"] == "a" => all(request, "completed"),
        2.. => status(500),
        _ => Reply::Hang,
    };
    let world = World::with("deadline", &["a", "b"], brief, reply).await;
    // The tick stops 3 s before: it has 2.5 s, of which the second request would need 2.
    let report = world.ticker.tick(Instant::now() + Duration::from_millis(4_500)).await;
    assert_eq!(world.jobs().await, [DONE, BACK], "{report:?}");
    assert_eq!(report.stopped_because, StoppedBecause::Deadline);
}

#[tokio::test]
async fn an_end_that_is_asked_for_does_not_cost_what_is_done() {
    let reply = |request: &Value| match request["jobs"].as_array().unwrap().len() {
        1 if request["jobs"][0]["data"] == "a" => all(request, "completed"),
        2.. => status(500),
        _ => Reply::Hang,
    };
    let world = World::new("stop", &["a", "b"], reply).await;
    let (stopper, stop) = Stopper::new();
    let begun = Instant::now();
    let (report, ()) =
        tokio::join!(world.ticker.tick_until(begun + Duration::from_secs(60), &stop), async {
            while world.receiver.sizes().len() < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stopper.stop();
        });
    assert_eq!(world.jobs().await, [DONE, BACK], "{report:?}");
    assert!(begun.elapsed() < Duration::from_secs(8));
}
