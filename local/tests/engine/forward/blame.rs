//! Which job is to blame for what hits a whole request.

use super::*;

#[tokio::test]
async fn what_is_too_large_goes_in_halves_from_then_on() {
    let world = World::new("413", &["a", "b", "c", "d", "e", "f", "g"], at_most(2)).await;
    world.tick().await;
    assert_eq!(world.jobs().await, [DONE; 7]);
    assert_eq!(world.receiver.sizes()[..3], [7, 3, 1], "the first try tells how many fit");
    let ids = add(&world.queue, &["h", "i"]).await;
    world.tick().await;
    assert_eq!(states(&world.queue, &ids).await, [State::Completed; 2]);
    let alone = World::new("413-alone", &["a"], |_| status(413)).await;
    alone.tick().await;
    assert_eq!(alone.jobs().await, [AGAIN]);
}

#[tokio::test]
async fn a_job_that_its_receiver_fails_over_fails_alone() {
    let long = || Reply::Answer(200, "content-type: application/json\r\n", "x".repeat(6_000_001));
    type Case = (&'static str, fn() -> Reply, &'static str);
    let cases: [Case; 5] = [
        ("500", || status(500), "The receiver answered with status 500"),
        ("502", || status(502), "The receiver answered with status 502"),
        ("400", || status(400), "The receiver answered with status 400"),
        ("long", long, "The receiver's answer is longer than 6 MB"),
        ("break", || Reply::Break, "The receiver broke the connection"),
    ];
    for (name, how, reason) in cases {
        let world = World::new(name, &["a", "b", "c", "d", "bad"], fails(&["bad"], how)).await;
        let report = world.tick().await;
        assert_eq!(world.jobs().await, [DONE, DONE, DONE, DONE, AGAIN], "{name}: {report:?}");
        assert_eq!(world.field(4, "failedReason").await.as_deref(), Some(reason));
        assert_eq!(report.stopped_because, StoppedBecause::Empty, "{name}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_once_costs_nothing() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let world = World::new("break-once", &["a", "b"], move |request| {
        match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => Reply::Break,
            false => all(request, "completed"),
        }
    })
    .await;
    world.tick().await;
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![DONE, DONE], vec![2, 2]));
    let seen = world.receiver.seen();
    assert_ne!(
        seen[0].header("webhook-id"),
        seen[1].header("webhook-id"),
        "or it would be a replay"
    );
    assert_eq!(seen[0].body["jobs"], seen[1].body["jobs"], "with the same idempotency keys");
}

#[tokio::test]
async fn a_receiver_that_fails_job_after_job_costs_few_of_them_an_attempt() {
    let words = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let world = World::new("broken", &words, |_| status(500)).await;
    let report = world.tick().await;
    let jobs = world.jobs().await;
    assert_eq!((&jobs[..3], &jobs[3..]), (&[AGAIN; 3][..], &[BACK; 5][..]), "{report:?}");
    assert!(world.forward.resting().is_some());
    let sent = world.receiver.sizes().len();
    assert!(sent <= 8, "{sent}");
    world.tick().await;
    assert_eq!(world.receiver.sizes().len(), sent, "it rests");
}

#[tokio::test]
async fn what_was_answered_before_the_receiver_closed_counts() {
    let reply = |request: &Value| match request["jobs"].as_array().unwrap().len() {
        1 if request["jobs"][0]["data"] == "a" => all(request, "completed"),
        2.. => status(500),
        _ => status(503),
    };
    let world = World::new("closes", &["a", "b"], reply).await;
    let report = world.tick().await;
    assert_eq!((world.jobs().await, report.completed), (vec![DONE, BACK], 1), "{report:?}");
}

/// Ticks until `bad` has failed its attempt and the others, all of them, are done: at most so many times.
async fn is_found_out(world: &World, bad: usize, ticks: usize, pause: Duration) {
    let mut ends = vec![DONE; world.ids.len()];
    ends[bad] = AGAIN;
    for _ in 0..ticks {
        world.tick().await;
        if world.jobs().await == ends {
            return;
        }
        tokio::time::sleep(pause).await;
    }
    panic!("{:?} after {:?}", world.jobs().await, world.receiver.sizes());
}

#[tokio::test]
async fn a_job_that_takes_its_receiver_down_is_found_out() {
    let pause = Duration::from_secs(2);
    let die = || Reply::Die(Duration::from_secs(2));
    let words = ["a", "bad", "b", "c", "d", "e", "f", "g"];
    let world = World::new("dies", &words, fails(&["bad"], die)).await;
    is_found_out(&world, 1, 8, pause + Duration::from_millis(200)).await;
    let reason = world.field(1, "failedReason").await;
    assert_eq!(reason.as_deref(), Some("The receiver broke the connection"));
}

#[tokio::test]
async fn a_job_after_which_a_proxy_has_no_receiver_is_found_out() {
    let is_down = std::sync::atomic::AtomicBool::new(false);
    let reply = fails(&["bad"], || status(502));
    let world = World::new("502-503", &["a", "b", "c", "bad"], move |request| {
        if is_down.swap(false, std::sync::atomic::Ordering::Relaxed) {
            return status(503);
        }
        let reply = reply(request);
        let is_bad = matches!(reply, Reply::Answer(502, ..));
        is_down.store(is_bad, std::sync::atomic::Ordering::Relaxed);
        reply
    })
    .await;
    is_found_out(&world, 3, 6, Duration::ZERO).await;
    assert_eq!(world.receiver.sizes()[..3], [4, 2, 2]);
}

#[tokio::test]
async fn a_job_that_its_receiver_refuses_is_found_out_where_others_are_answered() {
    for code in [401, 404, 410] {
        let name = format!("refuses-{code}").leak();
        let reply = move |request: &Value| match fails(&["bad"], || status(404))(request) {
            Reply::Answer(404, ..) => status(code),
            answer => answer,
        };
        let mut world = World::new(name, &["first"], reply).await;
        world.tick().await;
        world.ids.extend(add(&world.queue, &["a", "bad", "b", "c"]).await);
        is_found_out(&world, 2, 5, Duration::ZERO).await;
        let reason = world.field(2, "failedReason").await.unwrap();
        assert_eq!(reason, format!("The receiver answered with status {code}"));
    }
}

#[tokio::test]
async fn a_receiver_that_begins_to_refuse_all_costs_few_jobs_an_attempt() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let mut world = World::new("revoked", &["first"], move |request| {
        match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => all(request, "completed"),
            false => status(401),
        }
    })
    .await;
    world.tick().await;
    world.ids.extend(add(&world.queue, &["a", "b", "c", "d", "e", "f"]).await);
    for _ in 0..6 {
        world.tick().await;
    }
    let jobs = world.jobs().await;
    assert_eq!((&jobs[1..4], &jobs[4..]), (&[AGAIN; 3][..], &[BACK; 3][..]));
}
