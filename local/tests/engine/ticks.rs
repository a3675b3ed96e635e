//! What a tick does with what its handler returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shared::engine::{
    Context, Handler, Patience, StoppedBecause, Stopper, TickOptions, Ticker, alive,
};
use shared::queue::{ClaimRequest, ClaimedJob, JobOptions, NewJob, Settlement, State};
use shared::redis::Command;
use tokio::time::Instant;

use super::{Clock, Down, Obedient, add, queue, states, ticker};

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

/// The look before, and no more: what a scheduled tick does to a lone job, a woken one does.
#[tokio::test]
async fn a_woken_tick_of_a_lone_job_takes_a_command_and_a_round_trip_less() {
    let queue = queue("woken").await;
    let ticker = ticker(&queue, Obedient::default());
    // The first one leaves a sign of life, and makes the server know the scripts.
    add(&queue, &["0"]).await;
    ticker.tick(soon()).await;
    let mut reports = Vec::new();
    for _ in 0..2 {
        add(&queue, &["1"]).await;
        reports.push(ticker.tick(soon()).await);
        add(&queue, &["1"]).await;
        reports.push(ticker.tick_woken(soon()).await);
    }
    let [scheduled, woken] = [&reports[2], &reports[3]];
    assert_eq!((scheduled.completed, woken.completed), (1, 1), "{reports:?}");
    assert_eq!(woken.stopped_because, StoppedBecause::Empty);
    assert_eq!(woken.remaining, scheduled.remaining);
    assert_eq!(
        (woken.billed_commands + 1, woken.round_trips + 1),
        (scheduled.billed_commands, scheduled.round_trips),
        "{reports:?}"
    );
}

/// Counts how often it was told to get ready, and takes its time for that.
#[derive(Default)]
struct Ready(Obedient, AtomicU32);

impl Handler for Ready {
    type Error = Down;

    async fn prepare(&self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Down> {
        self.0.handle(jobs, context).await
    }
}

#[tokio::test]
async fn a_handler_gets_ready_beside_the_first_claim_of_a_woken_tick_alone() {
    let queue = queue("ready").await;
    let handler = Arc::new(Ready::default());
    let ticker = ticker(&queue, handler.clone());
    let ready = || handler.1.load(Ordering::SeqCst);
    add(&queue, &["1"]).await;
    ticker.tick(soon()).await;
    assert_eq!(ready(), 0);
    add(&queue, &["2"]).await;
    // That it is not ready holds up nothing.
    assert_eq!(ticker.tick_woken(soon()).await.completed, 1);
    assert_eq!(ready(), 1);

    // Where jobs are left to gather, so is what the handler needs left to sleep.
    let window = Duration::from_secs(86_400);
    let patience = Some(Patience { window, every: Duration::from_secs(1) });
    let options = TickOptions { patience, ..TickOptions::default() };
    let patient = Ticker::new(queue.clone(), handler.clone(), options, Clock::System);
    // The first tick of a process may stand at the window's end.
    patient.tick(soon()).await;
    let bulk = JobOptions { priority: 7, ..JobOptions::default() };
    let job = NewJob {
        name: "job".to_owned(),
        data: "\"bulk\"".to_owned(),
        opts: bulk,
        ..NewJob::default()
    };
    queue.enqueue(&[job]).await.unwrap();
    let report = patient.tick_woken(soon()).await;
    assert_eq!((report.stopped_because, ready()), (StoppedBecause::Gathering, 1), "{report:?}");
}

/// Whoever rang was mistaken, or another drain was quicker.
#[tokio::test]
async fn a_woken_tick_that_finds_nothing_waiting_does_what_any_tick_does() {
    let queue = queue("mistaken").await;
    let handler = Arc::new(Obedient::default());
    let ticker = ticker(&queue, handler.clone());
    let nothing = ticker.tick_woken(soon()).await;
    assert_eq!((nothing.stopped_because, nothing.claimed), (StoppedBecause::Empty, 0));
    assert!(handler.batches().is_empty());

    // One whose owner is dead, one that has fallen due, and one with a priority.
    let opts = JobOptions { attempts: 2, ..JobOptions::default() };
    let later = JobOptions { delay_ms: 1, ..opts.clone() };
    let bulk = JobOptions { priority: 7, ..opts.clone() };
    for (data, opts) in [("stalled", opts), ("later", later), ("bulk", bulk)] {
        let data = format!("\"{data}\"");
        let job = NewJob { name: "job".to_owned(), data, opts, ..NewJob::default() };
        queue.enqueue(&[job]).await.unwrap();
    }
    let claim = queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
    let lock = Command::new("DEL").arg(format!("bull:mistaken:{}:lock", claim.jobs[0].id));
    queue.redis().call(lock).await.unwrap();
    // The first look marks it, and the second one takes it back.
    ticker.tick_woken(soon()).await;
    let check = Command::new("DEL").arg("bull:mistaken:stalled-check");
    queue.redis().call(check).await.unwrap();
    let report = ticker.tick_woken(soon()).await;
    assert_eq!(report.recovered, 1, "{report:?}");
    let mut done = handler.batches().concat();
    done.sort();
    assert_eq!(done, ["bulk", "later", "stalled"]);
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
