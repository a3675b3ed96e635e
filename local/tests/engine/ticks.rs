//! What a tick does with what its handler returns.

use std::sync::Arc;
use std::time::Duration;

use shared::engine::{StoppedBecause, Stopper, TickOptions, Ticker, alive};
use shared::queue::State;
use shared::redis::Command;
use tokio::time::Instant;

use super::{Clock, Obedient, add, queue, states, ticker};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

#[tokio::test]
async fn each_job_ends_as_its_handler_says() {
    let queue = queue("ends").await;
    let ids = add(&queue, &["1", "fail", "end", "2"]).await;
    let handler = Arc::new(Obedient::default());
    let ticker = ticker(&queue, handler.clone());
    let report = ticker.tick(soon()).await;
    assert_eq!(
        states(&queue, &ids).await,
        [State::Completed, State::Failed, State::Failed, State::Completed],
        "{report:?}"
    );
    // Its second attempt came at once, as the job has no backoff.
    assert_eq!((report.completed, report.retried, report.failed), (2, 1, 2), "{report:?}");
    assert_eq!(report.stopped_because, StoppedBecause::Empty);
    assert_eq!(handler.batches()[0], ["1", "fail", "end", "2"]);
}

#[tokio::test]
async fn the_report_has_the_handler_s_counts_beside_its_own() {
    let queue = queue("counts").await;
    add(&queue, &["1", "2"]).await;
    let report = ticker(&queue, Obedient::default()).tick(soon()).await;
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["completed"], &json["greeted"], &json["sulked"]),
        (&2.into(), &2.into(), &0.into())
    );
    let read: shared::engine::Report = serde_json::from_value(json).unwrap();
    assert_eq!(read, report);
}

#[tokio::test]
async fn an_empty_queue_costs_one_command_and_calls_no_handler() {
    let queue = queue("empty").await;
    let handler = Arc::new(Obedient::default());
    let ticker = ticker(&queue, handler.clone());
    let report = ticker.tick(soon()).await;
    assert_eq!((report.billed_commands, report.round_trips), (1, 1), "{report:?}");
    assert!(handler.batches().is_empty());
}

#[tokio::test]
async fn a_ticker_that_is_switched_off_asks_nothing() {
    let queue = queue("off").await;
    let ids = add(&queue, &["1"]).await;
    let options = TickOptions { enabled: false, ..TickOptions::default() };
    let ticker = Ticker::new(queue.clone(), Obedient::default(), options, Clock::System);
    let report = ticker.tick(soon()).await;
    assert_eq!((report.billed_commands, report.stopped_because), (0, StoppedBecause::Disabled));
    assert_eq!(states(&queue, &ids).await, [State::Wait]);
}

#[tokio::test]
async fn batches_are_as_large_as_the_options_say() {
    let queue = queue("sizes").await;
    add(&queue, &["1", "2", "3", "4", "5"]).await;
    let options = TickOptions { batch_size: 2, ..TickOptions::default() };
    let handler = Arc::new(Obedient::default());
    let ticker = Ticker::new(queue.clone(), handler.clone(), options, Clock::System);
    let report = ticker.tick(soon()).await;
    assert_eq!((report.completed, report.batches), (5, 3), "{report:?}");
    let sizes: Vec<usize> = handler.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2, 1]);
}

#[tokio::test]
async fn a_tick_that_worked_leaves_a_report_in_the_heartbeat() {
    let queue = queue("beats").await;
    add(&queue, &["1", "end"]).await;
    ticker(&queue, Obedient::default()).tick(soon()).await;
    let alive = alive(&queue).await.unwrap();
    assert!(alive.last_seen.is_some());
    assert_eq!((alive.ticks[0].completed, alive.ticks[0].failed), (1, 1), "{alive:?}");
}

#[tokio::test]
async fn what_is_not_done_in_time_goes_back_behind_the_others_without_an_attempt() {
    let queue = queue("late").await;
    let ids = add(&queue, &["sleep"]).await;
    let options = TickOptions { margin: Duration::from_millis(500), ..TickOptions::default() };
    let ticker = Ticker::new(queue.clone(), Obedient::default(), options, Clock::System);
    let report = ticker.tick(Instant::now() + Duration::from_secs(1)).await;
    assert_eq!((report.released, report.stopped_because), (1, StoppedBecause::Deadline));
    let job = queue.job(&ids[0]).await.unwrap().unwrap();
    assert_eq!((job.state, job.fields.get("atm")), (Some(State::Wait), None), "{job:?}");
}

/// Whatever the queue's own lock is: here 30 s, and a tick of 55 s.
#[tokio::test]
async fn locks_outlive_their_tick_by_half_a_minute() {
    let queue = queue("locks").await;
    let ids = add(&queue, &["sleep"]).await;
    let (stopper, stop) = Stopper::new();
    let handler = Arc::new(Obedient::default());
    let ticker = ticker(&queue, handler.clone());
    let lock = Command::new("PTTL").arg(format!("bull:locks:{}:lock", ids[0]));
    let (_, left_ms) = tokio::join!(ticker.tick_until(soon(), &stop), async {
        while handler.batches().is_empty() {
            tokio::task::yield_now().await;
        }
        let left_ms = queue.redis().call(lock).await.unwrap().as_int().unwrap();
        stopper.stop();
        left_ms
    });
    // The tick has 30 s, and has used few of them.
    assert!((40_000..=60_000).contains(&left_ms), "{left_ms} ms");
}

#[tokio::test]
async fn an_end_that_is_asked_for_gives_back_what_takes_too_long() {
    let queue = queue("stop").await;
    let ids = add(&queue, &["sleep", "1"]).await;
    let (stopper, stop) = Stopper::new();
    let handler = Arc::new(Obedient::default());
    let ticker = ticker(&queue, handler.clone());
    let (report, ()) = tokio::join!(ticker.tick_until(soon(), &stop), async {
        while handler.batches().is_empty() {
            tokio::task::yield_now().await;
        }
        stopper.stop();
    });
    assert_eq!((report.released, report.stopped_because), (2, StoppedBecause::Deadline));
    assert_eq!(states(&queue, &ids).await, [State::Wait, State::Wait]);
    // To the front, in their order: they were cut short, and nothing is wrong with them.
    let later = add(&queue, &["3"]).await;
    let claim = queue.claim(shared::queue::ClaimRequest::everywhere(3)).await.unwrap();
    let order: Vec<&str> = claim.jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(order, [&*ids[0], &*ids[1], &*later[0]]);
}
