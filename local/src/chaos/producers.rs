//! Asks for jobs as our producers do, which repeat each call under its key until it is answered, and as callers
//! of the API.

use std::sync::Arc;

use futures_util::stream::{self, TryStreamExt as _};
use shared::clock::Clock;
use shared::queue::{Added, NewJob, Queue};
use shared::recompute::{JobData, Reason, recompute_job};
use shared::store::ProjectId;
use tokio::time::{Instant, sleep, sleep_until};

use super::caller::{Caller, Refused};
use super::plan::{Asked, Call, Kind, Producer};
use super::world::World;
use crate::Failure;
use crate::verify::AcceptedJob;

/// How long until a call is repeated.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

/// The id of a project of the run.
pub(super) fn project(number: usize) -> String {
    format!("seed-1-p{number:07}")
}

/// Makes the calls of one producer, each at its time.
pub(super) async fn work(world: Arc<World>, by: Producer, begun: Instant) -> Result<(), Failure> {
    if by == Producer::Api {
        return call_the_api(&world, begun).await;
    }
    let queue = world.producer(by == Producer::Rest)?;
    for call in world.plan.calls().into_iter().filter(|call| call.by == by) {
        sleep_until(begun + call.at).await;
        let ahead_ms = if world.setup.clocks_differ { call.ahead_ms } else { 0 };
        let timestamp = Clock::System.now_ms() + ahead_ms;
        let jobs = call.jobs.iter().enumerate();
        let jobs: Vec<NewJob> = jobs
            .map(|(place, asked)| job(&queue, &call, place, asked, timestamp))
            .collect::<Result<_, _>>()?;
        let added = until_answered(&world, &queue, &jobs, &format!("call-{}", call.number)).await?;
        for (asked, added) in call.jobs.iter().zip(added) {
            world.journal.accept(AcceptedJob {
                id: Some(added.id),
                project: Some(project(asked.project)),
                // Of what stands for it another one's is right.
                timestamp: Some(timestamp),
                by: Some(format!("{by:?}").to_lowercase()),
                at: Some(Clock::System.now_ms()),
                ..AcceptedJob::default()
            });
        }
    }
    Ok(())
}

/// How many of the API's callers ask at once.
const CALLERS: usize = 8;

/// Makes the API's calls, a request a job.
async fn call_the_api(world: &World, begun: Instant) -> Result<(), Failure> {
    let caller = world.caller().await?;
    let calls = world.plan.calls().into_iter().filter(|call| call.by == Producer::Api);
    stream::iter(calls.map(Ok))
        .try_for_each_concurrent(CALLERS, async |call| {
            sleep_until(begun + call.at).await;
            for (place, asked) in call.jobs.iter().enumerate() {
                ask_the_api(world, &caller, asked, &format!("call-{}-{place}", call.number))
                    .await?;
            }
            Ok(())
        })
        .await
}

/// Asks for one job until that is answered.
async fn ask_the_api(
    world: &World,
    caller: &Caller,
    asked: &Asked,
    key: &str,
) -> Result<(), Failure> {
    let project = project(asked.project);
    let reason = if asked.kind == Kind::Scheduled { "scheduled" } else { "manual" };
    // The API does not tell the job's timestamp: it lies between this and the answer.
    let at = Clock::System.now_ms();
    let id = loop {
        match caller.ask(&project, reason, key).await {
            Ok(id) => break id,
            Err(Refused::ForGood(why)) => return Err(why.into()),
            Err(Refused::ForNow) => {
                world.journal.notes().asked_again += 1;
                sleep(AGAIN).await;
            }
        }
    };
    world.journal.accept(AcceptedJob {
        id: Some(id),
        project: Some(project),
        by: Some("api".to_owned()),
        at: Some(at),
        answered: Some(Clock::System.now_ms()),
        ..AcceptedJob::default()
    });
    Ok(())
}

async fn until_answered(
    world: &World,
    queue: &Queue,
    jobs: &[NewJob],
    key: &str,
) -> Result<Vec<Added>, Failure> {
    loop {
        match queue.enqueue_once(jobs, key).await {
            Ok(added) => return Ok(added),
            Err(error @ shared::queue::Error::Invalid { .. }) => return Err(error.into()),
            Err(_) => {
                world.journal.notes().asked_again += 1;
                sleep(AGAIN).await;
            }
        }
    }
}

fn job(
    queue: &Queue,
    call: &Call,
    place: usize,
    asked: &Asked,
    timestamp: i64,
) -> Result<NewJob, Failure> {
    let reason = match asked.kind {
        Kind::Scheduled => Reason::Scheduled,
        _ => Reason::Manual,
    };
    let id = ProjectId::parse(project(asked.project))?;
    let mut job = recompute_job(&JobData::new(id, reason), queue.options());
    job.opts.timestamp_ms = Some(timestamp);
    if !matches!(asked.kind, Kind::Scheduled | Kind::Manual) {
        job.opts.deduplication = None;
        job.promote_duplicate = false;
    }
    match asked.kind {
        Kind::Delayed(ms) => job.opts.delay_ms = ms,
        Kind::First => job.opts.lifo = true,
        Kind::Named => job.opts.job_id = Some(format!("named-{}-{place}", call.number)),
        Kind::Scheduled | Kind::Manual | Kind::Alone => {}
    }
    Ok(job)
}
