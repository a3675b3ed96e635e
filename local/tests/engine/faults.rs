//! Handlers that do what they should not: no job is lost, and none but the guilty pays.

use std::time::Duration;

use shared::engine::StoppedBecause;
use shared::engine::testing::{job, run};
use shared::queue::{Settlement, State};
use tokio::time::Instant;

use super::{Obedient, add, queue, states, ticker};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

#[tokio::test]
async fn a_batch_that_nobody_can_do_goes_back_without_an_attempt_and_ends_the_tick() {
    let queue = queue("down").await;
    let ids = add(&queue, &["1", "down"]).await;
    let report = ticker(&queue, Obedient::default()).tick(soon()).await;
    assert_eq!((report.released, report.batches), (2, 1), "{report:?}");
    assert_eq!(report.stopped_because, StoppedBecause::Error);
    assert_eq!(report.error.as_deref(), Some("the database is down"));
    for id in &ids {
        let job = queue.job(id).await.unwrap().unwrap();
        assert_eq!((job.state, job.fields.get("atm")), (Some(State::Wait), None), "{job:?}");
    }
}

#[tokio::test]
async fn one_job_that_makes_the_handler_panic_fails_alone() {
    let queue = queue("panic").await;
    let ids = add(&queue, &["1", "panic", "2"]).await;
    let ticker = ticker(&queue, Obedient::default());
    let report = ticker.tick(soon()).await;
    assert_eq!(
        states(&queue, &ids).await,
        [State::Completed, State::Failed, State::Completed],
        "{report:?}"
    );
    let guilty = queue.job(&ids[1]).await.unwrap().unwrap();
    assert_eq!(guilty.fields["failedReason"], "The handler panicked");
    assert_eq!((report.completed, report.retried, report.failed), (2, 1, 1), "{report:?}");
}

#[tokio::test]
async fn a_handler_that_forgets_a_job_loses_none() {
    let ran = run(&Obedient::default(), &[job("1", "1"), job("2", "forget")]).await.unwrap();
    assert_eq!(ran.settlements, [Settlement::Postpone, Settlement::Postpone]);
}

#[tokio::test]
async fn a_job_that_must_fail_unrun_never_reaches_the_handler() {
    let mut doomed = job("2", "2");
    doomed.deferred_failure = Some("job stalled more than allowable limit".to_owned());
    let handler = Obedient::default();
    let ran = run(&handler, &[job("1", "1"), doomed.clone(), job("3", "3")]).await.unwrap();
    let done = |data: &str| Settlement::Complete(data.to_owned());
    let ended = Settlement::Unrecoverable("job stalled more than allowable limit".to_owned());
    assert_eq!(ran.settlements, [done("1"), ended.clone(), done("3")]);
    assert_eq!(handler.batches(), [["1", "3"]]);
    let ran = run(&handler, &[doomed]).await.unwrap();
    assert_eq!((ran.settlements, handler.batches().len()), (vec![ended], 1));
}

#[tokio::test]
async fn after_a_panic_what_is_done_is_done_and_what_cannot_be_done_goes_back() {
    let jobs = [job("1", "1"), job("2", "panic"), job("3", "down")];
    let settlements = run(&Obedient::default(), &jobs).await.unwrap().settlements;
    assert_eq!(settlements[0], Settlement::Complete("1".to_owned()));
    assert_eq!(settlements[1], Settlement::Failed("The handler panicked".to_owned()));
    assert_eq!(settlements[2], Settlement::Postpone);
    // Where the first alone shows that nothing can be done, the tick hears of it.
    let handler = Obedient::default();
    run(&handler, &[job("1", "down"), job("2", "panic")]).await.unwrap_err();
}
