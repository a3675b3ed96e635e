//! One call of the handler, whose faults are its own: it may fail, run out of time, panic, or forget
//! jobs, and no job is lost.

use std::panic::AssertUnwindSafe;

use batchmq::{ClaimedJob, Settlement};
use futures_util::FutureExt as _;
use tracing::error;

use crate::handler::{Context, Handler};

/// What becomes of a batch.
#[derive(Debug)]
pub(crate) enum Handled<E> {
    /// Each job's end, in order.
    Done(Vec<Settlement>),
    /// None could be handled.
    Failed(E),
    /// The time was up.
    Late,
}

/// Lets `handler` handle `jobs` within the time of `context`, but for those that must fail unrun.
pub(crate) async fn handle<H: Handler>(
    handler: &H,
    jobs: &[ClaimedJob],
    context: &Context<'_>,
) -> Handled<H::Error> {
    if jobs.iter().all(|job| job.deferred_failure.is_none()) {
        return handle_all(handler, jobs, context).await;
    }
    let to_run: Vec<ClaimedJob> =
        jobs.iter().filter(|job| job.deferred_failure.is_none()).cloned().collect();
    let run = match to_run.is_empty() {
        true => Handled::Done(Vec::new()),
        false => handle_all(handler, &to_run, context).await,
    };
    let Handled::Done(settlements) = run else { return run };
    let mut settlements = settlements.into_iter();
    let ends = jobs.iter().map(|job| match &job.deferred_failure {
        Some(reason) => Settlement::Unrecoverable(reason.clone()),
        None => settlements.next().unwrap_or(Settlement::Postpone),
    });
    Handled::Done(ends.collect())
}

async fn handle_all<H: Handler>(
    handler: &H,
    jobs: &[ClaimedJob],
    context: &Context<'_>,
) -> Handled<H::Error> {
    match context.in_time(caught(handler, jobs, context)).await {
        None => Handled::Late,
        Some(Ok(done)) => done,
        Some(Err(Panicked)) if jobs.len() == 1 => Handled::Done(vec![failed(&jobs[0])]),
        // One of them is to blame, and which one is found out alone.
        Some(Err(Panicked)) => one_by_one(handler, jobs, context).await,
    }
}

async fn one_by_one<H: Handler>(
    handler: &H,
    jobs: &[ClaimedJob],
    context: &Context<'_>,
) -> Handled<H::Error> {
    let mut settlements = Vec::with_capacity(jobs.len());
    for job in jobs {
        let alone = std::slice::from_ref(job);
        match context.in_time(caught(handler, alone, context)).await {
            Some(Ok(Handled::Done(done))) => settlements.extend(done),
            Some(Ok(Handled::Failed(error))) if settlements.is_empty() => {
                return Handled::Failed(error);
            }
            Some(Err(Panicked)) => settlements.push(failed(job)),
            // What is done is done; the rest goes back.
            Some(Ok(Handled::Failed(_) | Handled::Late)) | None => break,
        }
    }
    settlements.resize(jobs.len(), Settlement::Postpone);
    Handled::Done(settlements)
}

struct Panicked;

async fn caught<H: Handler>(
    handler: &H,
    jobs: &[ClaimedJob],
    context: &Context<'_>,
) -> Result<Handled<H::Error>, Panicked> {
    let handling = AssertUnwindSafe(handler.handle(jobs, context)).catch_unwind();
    match handling.await {
        Ok(Ok(mut settlements)) => {
            if settlements.len() != jobs.len() {
                error!(
                    jobs = jobs.len(),
                    settlements = settlements.len(),
                    "the handler returned another number of settlements than there are jobs"
                );
                // Which of them belongs to which job, nobody knows.
                settlements = vec![Settlement::Postpone; jobs.len()];
            }
            Ok(Handled::Done(settlements))
        }
        Ok(Err(error)) => Ok(Handled::Failed(error)),
        Err(_) => {
            error!(jobs = jobs.len(), "the handler panicked");
            Err(Panicked)
        }
    }
}

fn failed(job: &ClaimedJob) -> Settlement {
    error!(job = job.id.as_str(), "the job made the handler panic");
    Settlement::Failed("The handler panicked".to_owned())
}
