//! The queue by hand, one operation a line of JSON on standard input and one answer a line: for tests in
//! other languages.
//!
//! It is what the interop suites hold against BullMQ. The settings name the Redis and the
//! transport; `open` names the queue, and every line may carry the time.

mod answer;
mod job;
mod wire;

use std::collections::HashMap;
use std::io::{self, BufRead as _};
use std::process::ExitCode;
use std::time::Duration;

use shared::clock::Clock;
use shared::config::{Config, ProcessEnv, QueueOptions};
use shared::queue::{self, Claim, ClaimRequest, ClaimedJob, Queue, Settled, Settlement};
use shared::redis::Redis;

use self::answer::{AddedJob, Answer, Claimed, Codes};
use self::wire::{Ended, Op, Request};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drive: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let config = Config::from_env(&ProcessEnv)?;
    let redis = config.redis_client()?.ok_or(drain::StartError::NoRedis)?;
    let mut driver =
        Driver { redis, config: config.queue, clock: None, claims: HashMap::new(), made: 0 };
    // One line after the other: waiting for the next one holds nobody up.
    for line in io::stdin().lock().lines() {
        let answer = match driver.answer(&line?).await {
            Ok(answer) => answer,
            Err(error) => match error.downcast_ref() {
                Some(queue::Error::Refused(why)) => Answer::Refused { refused: why.to_string() },
                _ => Answer::Error { error: error.to_string() },
            },
        };
        println!("{}", serde_json::to_string(&answer)?);
    }
    Ok(())
}

type Error = Box<dyn std::error::Error + Send + Sync>;

struct Driver {
    redis: Redis,
    config: QueueOptions,
    /// The time of the last line that had one.
    clock: Option<i64>,
    claims: HashMap<usize, Held>,
    made: usize,
}

/// What a claim took.
struct Held {
    token: String,
    jobs: HashMap<String, ClaimedJob>,
}

impl Driver {
    async fn answer(&mut self, line: &str) -> Result<Answer, Error> {
        let request: Request = serde_json::from_str(line)?;
        self.clock = request.now.or(self.clock);
        let clock = self.clock.map_or(Clock::System, Clock::manual);
        let queue = Queue::new(self.redis.clone(), &self.config, clock);
        Ok(match request.op {
            Op::Open { prefix, queue, events, lock_ms, metrics } => {
                self.config.prefix = prefix;
                self.config.name = queue;
                self.config.events = events.into();
                self.config.metrics_minutes = metrics;
                self.config.lock = Duration::from_millis(lock_ms);
                Answer::Done { ok: true }
            }
            Op::Enqueue { jobs, key } => {
                let jobs: Vec<_> = jobs.into_iter().map(Into::into).collect();
                let added = match key {
                    Some(key) => queue.enqueue_once(&jobs, &key).await?,
                    None => queue.enqueue(&jobs).await?,
                };
                let view = |added: shared::queue::Added| AddedJob {
                    id: added.id,
                    outcome: answer::outcome(added.outcome),
                };
                Answer::Added { added: added.into_iter().map(view).collect() }
            }
            Op::Claim { count } => {
                let claim = queue.claim(ClaimRequest::everywhere(count)).await?;
                Answer::Worked { settled: None, claimed: Some(self.keep(claim)) }
            }
            Op::Settle { claim, jobs, next } => {
                let (token, jobs) = self.ended(claim, &jobs)?;
                match next {
                    None => {
                        let settled = queue.settle(&token, &jobs).await?;
                        Answer::Worked { settled: Some(codes(&settled)), claimed: None }
                    }
                    Some(count) => {
                        let request = ClaimRequest::everywhere(count);
                        let (settled, claim) =
                            queue.settle_and_claim(&token, &jobs, request).await?;
                        let claimed = Some(self.keep(claim));
                        Answer::Worked { settled: Some(codes(&settled)), claimed }
                    }
                }
            }
            Op::Renew { claim, ids } => {
                let held = self.claims.get(&claim).ok_or("no such claim")?;
                Answer::Ids { ids: queue.renew(&held.token, &ids).await? }
            }
            Op::Recover => Answer::Ids { ids: queue.recover().await?.ids },
            Op::Clean { from, grace, limit } => {
                let grace = Duration::from_millis(grace);
                Answer::Ids { ids: queue.clean(from, grace, limit).await? }
            }
            op => operate(&queue, op).await?,
        })
    }

    fn keep(&mut self, claim: Claim) -> Claimed {
        let (status, wait_ms, next_due_ms) = answer::status(claim.status);
        let claimed = Claimed {
            claim: self.made,
            token: claim.token.clone(),
            jobs: claim.jobs.iter().map(Into::into).collect(),
            missing: claim.missing,
            schedules: claim.schedules.into_iter().map(answer::produced).collect(),
            unscheduled: claim.unscheduled,
            status,
            wait_ms,
            next_due_ms,
        };
        if !claim.jobs.is_empty() {
            let jobs = claim.jobs.into_iter().map(|job| (job.id.clone(), job)).collect();
            self.claims.insert(self.made, Held { token: claim.token, jobs });
            self.made += 1;
        }
        claimed
    }

    /// The token of a claim, and those of its jobs that ended. They stay known, so that a second
    /// end of the same job can be tried.
    fn ended(
        &self,
        claim: usize,
        ended: &[Ended],
    ) -> Result<(String, Vec<(ClaimedJob, Settlement)>), Error> {
        let held = self.claims.get(&claim).ok_or("no such claim")?;
        let jobs = ended
            .iter()
            .map(|ended| Some((held.jobs.get(&ended.id)?.clone(), ended.into())))
            .collect::<Option<_>>()
            .ok_or("a job is not of this claim")?;
        Ok((held.token.clone(), jobs))
    }
}

/// What an operator does; all that there is to say is whether it was done.
async fn operate(queue: &Queue, op: Op) -> Result<Answer, Error> {
    match op {
        Op::Pause => queue.pause().await?,
        Op::Resume => queue.resume().await?,
        Op::Retry { id, from } => queue.retry(&id, from.into(), false).await?,
        Op::RetryAll { from } => drop(queue.retry_all(from.into()).await?),
        Op::Promote { id } => queue.promote(&id).await?,
        Op::PromoteAll => drop(queue.promote_all().await?),
        Op::Remove { id } => drop(queue.remove(&id).await?),
        Op::Obliterate { force } => drop(queue.obliterate(force).await?),
        Op::Unschedule { id } => drop(queue.unschedule(&id).await?),
        Op::Schedule { id, repeat, template } => {
            let iteration = queue.schedule(&job::scheduler(id, *repeat, *template)).await?;
            return Ok(Answer::Scheduled { scheduled: iteration.job_id });
        }
        _ => return Err("not an operator's".into()),
    }
    Ok(Answer::Done { ok: true })
}

fn codes(settled: &Settled) -> Codes {
    Codes {
        codes: settled.codes.iter().map(|code| answer::code(*code)).collect(),
        requeued: settled.requeued,
    }
}
