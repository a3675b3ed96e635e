//! Does a consumer's duty: makes the next job of a scheduler when its current one is claimed.

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value as Json;
use tracing::error;

use super::plan::{Kind, Plan, plan};
use super::{Dialect, Iteration, dialect};
use crate::answer::fields;
use crate::error::Error;
use crate::life::claim::{Claim, ClaimedJob};
use crate::operate::operation::code;
use crate::queue::Queue;
use crate::script::library::NEXT_ITERATION;
use batchmq_redis::{Command, Value};

/// Scheduler's jobs of one claim that are seen to at the same time.
const AT_ONCE: usize = 16;

/// What became of a scheduler's next job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Produced {
    /// It was put in place.
    Next(Iteration),
    /// It was there already.
    Already(Iteration),
    /// This job is not the scheduler's current one (a retry, an older rule, or the scheduler is
    /// gone), or this was the last one.
    Nothing,
}

/// Why a scheduler's next job could not be put in place.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Queue(#[from] Error),
    #[error("{0}")]
    Rule(String),
}

#[derive(Serialize)]
struct Call<'a> {
    scheduler: &'a str,
    /// The ids of its jobs, but for the time at their end.
    stem: &'a str,
    /// There is no record to be kept.
    bare: bool,
    job: &'a str,
    name: &'a str,
    data: &'a str,
    opts: String,
    priority: u64,
    lifo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    gone: bool,
    same: bool,
}

/// A scheduler's current job.
pub(crate) struct Current<'a> {
    pub(crate) scheduler: &'a str,
    /// The ids of its jobs, but for the time at their end.
    pub(crate) stem: &'a str,
    pub(crate) kind: Kind,
    pub(crate) job: &'a str,
    pub(crate) name: &'a str,
    pub(crate) data: &'a str,
    /// It is not there any more.
    pub(crate) gone: bool,
    /// Its next one takes its place, at its own time.
    pub(crate) same: bool,
}

impl Queue {
    /// Puts the next job of every scheduler whose current job was claimed in place, before any of
    /// them is run: whoever skips it ends the schedule. Other jobs cost nothing; each of a
    /// scheduler's costs about 16 commands, and all of a claim together two round trips or a few more.
    ///
    /// A job whose next one cannot be put in place is taken out of the claim and left alone. Like
    /// every job whose owner died it comes back, to whoever is there then.
    pub(crate) async fn keep_schedules(&self, mut claim: Claim) -> Claim {
        if claim.jobs.iter().all(|job| job.scheduler_id.is_none()) {
            return claim;
        }
        let (mut scheduled, mut commands) = (Vec::new(), Vec::new());
        for job in claim.jobs.iter().filter(|job| job.scheduler_id.is_some()) {
            commands.extend(self.reads(job));
            scheduled.push(job);
        }
        commands.push(self.version());
        let found = match self.redis.pipeline(commands).await {
            Ok(found) => found,
            Err(error) => vec![Err(error)],
        };
        let version = found.last().cloned().and_then(Result::ok);
        let version = dialect(version.as_ref().and_then(Value::as_str));
        let mut calls = Vec::new();
        let mut reads = found.chunks_exact(2);
        for job in scheduled {
            // There is the version in any case, or the error instead of all.
            let read = reads.next().unwrap_or(&found[..1]);
            calls.push(async move { (job.id.clone(), self.produce(job, read, version).await) });
        }
        let produced: Vec<_> = stream::iter(calls).buffered(AT_ONCE).collect().await;
        for (id, produced) in produced {
            match produced {
                Ok(produced) => claim.schedules.push((id, produced)),
                Err(failure) => {
                    error!(job = id.as_str(), error = %failure, "a scheduler's next job cannot be \
                        put in place: its current one is left until it stalls");
                    claim.jobs.retain(|job| job.id != id);
                    claim.unscheduled.push(id);
                }
            }
        }
        claim
    }

    /// What must be known of a scheduler's job.
    fn reads(&self, job: &ClaimedJob) -> [Command; 2] {
        let scheduler = job.scheduler_id.as_deref().unwrap_or_default();
        let record = self.keys.of(&format!("repeat:{scheduler}"));
        [
            Command::new("ZSCORE").arg(self.keys.of("repeat")).arg(scheduler),
            Command::new("HGETALL").arg(record),
        ]
        .map(Command::replay_safe)
    }

    async fn produce(
        &self,
        job: &ClaimedJob,
        read: &[Result<Value, batchmq_redis::Error>],
        version: Option<Dialect>,
    ) -> Result<Produced, Failure> {
        let read: Vec<Value> =
            read.iter().cloned().collect::<Result<_, _>>().map_err(Error::from)?;
        let [current, record] = read.as_slice() else {
            return Err(Error::Protocol("HGETALL").into());
        };
        let (record, scheduler) =
            (fields(record)?, job.scheduler_id.as_deref().unwrap_or_default());
        let current = current.as_str().and_then(|score| score.parse::<f64>().ok());
        let (kind, stem) = origin(job, scheduler, record.contains_key("ic"));
        if current.is_none_or(|at| job.id != format!("{stem}{at:.0}")) {
            return Ok(Produced::Nothing);
        }
        let opts = job.stored_opts.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let now = self.clock.now_ms();
        let plan = plan(opts.unwrap_or_default(), &record, kind, version, now);
        let Some(plan) = plan.map_err(Failure::Rule)? else { return Ok(Produced::Nothing) };
        let current = Current {
            scheduler,
            stem: &stem,
            kind,
            job: &job.id,
            name: &job.name,
            data: &job.data,
            gone: false,
            same: false,
        };
        Ok(self.put_in_place(current, plan).await?)
    }

    /// Puts the planned next job in place, unless its scheduler's current one is another by now.
    pub(crate) async fn put_in_place(
        &self,
        current: Current<'_>,
        mut plan: Plan,
    ) -> Result<Produced, Error> {
        let Current { scheduler, stem, kind, job, name, data, gone, same } = current;
        match kind {
            Kind::Scheduler => plan.opts.insert("repeatJobKey".to_owned(), scheduler.into()),
            Kind::Repeatable => plan.opts.remove("repeatJobKey"),
        };
        let lifo = plan.opts.get("lifo") == Some(&Json::Bool(true));
        let priority = plan.opts.get("priority").and_then(Json::as_u64).unwrap_or(0);
        let deid = plan.opts.get("de").and_then(|de| de["id"].as_str()).map(str::to_owned);
        let call = Call {
            scheduler,
            stem,
            bare: kind == Kind::Repeatable,
            job,
            name,
            data,
            opts: Json::Object(plan.opts).to_string(),
            priority,
            lifo,
            deid: deid.as_deref(),
            next: plan.next,
            every: plan.every,
            offset: plan.offset,
            gone,
            same,
        };
        let mut known = self.keys.of_scheduler(scheduler);
        known.push(self.keys.of(job));
        known.extend(plan.next.map(|at| self.keys.of(&format!("{stem}{at}"))));
        let answer = self.operate(&NEXT_ITERATION, known, call).await?;
        let iteration = |items: &[Value]| {
            let [job, delay] = items else { return None };
            Some(Iteration {
                job_id: job.as_str()?.to_owned(),
                delay_ms: delay.as_str()?.parse().ok()?,
            })
        };
        let produced = match code(&answer) {
            Some((0, _)) => Some(Produced::Nothing),
            Some((1, items)) => iteration(items).map(Produced::Next),
            Some((2, items)) => iteration(items).map(Produced::Already),
            _ => None,
        };
        produced.ok_or(Error::Protocol(NEXT_ITERATION.name))
    }
}

/// Who made a job, and its id but for the time at its end. Keys of old repeatable jobs,
/// `name:id:endDate:tz:rule`, have five parts; a scheduler's id may have as many, but then its
/// record counts its jobs. The ids of such repeatable jobs hold a digest of the key instead of it.
fn origin(job: &ClaimedJob, scheduler: &str, counts: bool) -> (Kind, String) {
    if counts || scheduler.split(':').count() < 5 {
        return (Kind::Scheduler, format!("repeat:{scheduler}:"));
    }
    let time = job.id.bytes().rev().take_while(u8::is_ascii_digit).count();
    (Kind::Repeatable, job.id[..job.id.len() - time].to_owned())
}
