//! The time that drops are sent in: nothing that comes meanwhile is left waiting, a night's walk leaves some for
//! them, and what there is no time left for is not begun.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use fixture::World;
use fixture::database_proxy::through_proxy;
use shared::clock::Clock;
use shared::drops::Delivery;
use shared::queue::Queue;
use shared::recompute::{open_store, recompute_job};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::drops::{drain, events, later, tick, world};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(50)
}

/// Lets a receiver do this with the queue before it takes anything.
async fn meanwhile<F>(world: &mut World, act: impl Fn(Queue) -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.set("DROP_EVENTS_URL", &format!("http://{}/", listener.local_addr().unwrap()));
    let queue = world.queue.clone();
    let take = move || act(queue.clone());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(take))).await });
}

#[tokio::test]
async fn a_job_that_comes_while_drops_are_sent_does_not_wait_for_the_schedule() {
    for is_woken in [true, false] {
        let (mut world, projects, _) = world(2).await;
        let late = projects[1].clone();
        // Who wakes the drain for it is turned away: one is at work.
        meanwhile(&mut world, move |queue| {
            let job = recompute_job(&fixture::data(&late), queue.options());
            async move { drop(queue.enqueue(&[job]).await.unwrap()) }
        })
        .await;
        world.enqueue(&projects[..1]).await;
        let report = match is_woken {
            true => drain(&world).tick_woken(soon()).await,
            false => drain(&world).tick(soon()).await,
        };
        // The second drop brings a third job, whose score is no lower.
        let told = report.counters.get("dropsDelivered");
        assert_eq!((report.completed, report.batches, told), (3, 3, 2), "{report:?}");
        assert_eq!(world.counts().await.wait, 0);
        assert_eq!(report.remaining, Some(shared::engine::Remaining::NONE));
    }
}

#[tokio::test]
async fn a_night_sends_drops_before_it_walks() {
    let (mut world, projects, receiver) = world(3).await;
    receiver.answers(&[500]);
    world.enqueue(&projects[..1]).await;
    assert_eq!(tick(&world).await.counters.get("dropsFailed"), 1);
    later(&world, "1 hour").await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let waiting = seen.clone();
    meanwhile(&mut world, move |queue| {
        let waiting = waiting.clone();
        async move {
            let counts = queue.counts().await.unwrap();
            waiting.lock().unwrap().push(counts.wait + counts.prioritized);
        }
    })
    .await;
    world.set("CRON_SCOPE", "all");
    let night = world.night(Duration::from_secs(50)).await;
    assert_eq!((night.enqueued, night.drops.delivered), (3, 1), "{night:?}");
    assert_eq!(*seen.lock().unwrap(), [0]);
}

#[tokio::test]
async fn drops_that_there_is_no_time_left_to_send_are_returned() {
    let (mut world, projects, receiver) = world(2).await;
    receiver.answers(&[500, 500]);
    world.enqueue(&projects).await;
    assert_eq!(tick(&world).await.counters.get("dropsFailed"), 2);
    receiver.seen();
    let (url, watch) = through_proxy(&world.env["DATABASE_URL"].clone()).await;
    world.set("DATABASE_URL", &url);
    let config = world.config();
    let store = open_store(&config, 1).unwrap();
    store.ping().await.unwrap();
    let delivery = Delivery::new(&config.drops, store, Clock::System).unwrap().unwrap();
    let is_due = "SELECT count(*) FROM deo.score_drop
        WHERE due_at <= now() AT TIME ZONE 'UTC' AND attempts = 1";
    // On a busy machine a round may end before it has returned them; in none is anything sent.
    for _ in 0..20 {
        let again = "UPDATE deo.score_drop SET attempts = 1, due_at = created_at";
        world.database.batch_execute(again).await.unwrap();
        let until = Instant::now() + Duration::from_millis(2_600);
        // The claim takes until 1.4 s before the end, of which one is for noting what was sent.
        let mut is_first = true;
        *watch.delay.lock().unwrap() = Some(Box::new(move || {
            let wait = until - Duration::from_millis(1_400);
            match std::mem::take(&mut is_first) {
                true => wait.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            }
        }));
        watch.statements.store(0, Ordering::SeqCst);
        let sent = delivery.deliver(until).await;
        assert!(!sent.is_any() && receiver.seen().is_empty(), "{sent:?}");
        let due: i64 = world.database.query_one(is_due, &[]).await.unwrap().get(0);
        if due == 2 && watch.statements() == 2 {
            assert!(events(&world).await.values().all(Option::is_none));
            return;
        }
    }
    panic!("they are not returned");
}
