//! Claims: waiting jobs become active under one lock token.

use std::time::Duration;

use serde::Serialize;

use crate::answer::{lossy, strings, text};
use crate::clock::millis;
use crate::error::Error;
use crate::job::policy::StoredOptions;
use crate::look::hold::Hold;
use crate::operate::limits::{Limits, StoredRate, whole};
use crate::options::Events;
use crate::queue::Queue;
use crate::schedule::Produced;
use crate::script::library::CLAIM;
use crate::script::replay::nonce;
use batchmq_redis::Value;

/// Bytes of jobs' fields a claim at most, unless a job alone has more: what one answer of Upstash
/// carries with room to spare, whatever its encoding.
const MOST_BYTES: usize = 4_000_000;

/// How much to claim, and where to look.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest {
    /// Jobs at most.
    pub count: u32,
    /// Take jobs from `wait`. `false` saves a command where there are none.
    pub wait: bool,
    /// Take prioritized jobs after those in `wait`, and those that fall due. `false` saves two commands
    /// where there are none, and leaves them where they are.
    pub prioritized: bool,
    /// Promote due delayed jobs first. `false` saves two commands where there are none.
    pub delayed: bool,
    /// How long the jobs' lock lives: until their owner must have ended, and some time more. `None`
    /// takes the queue's setting.
    pub lock: Option<Duration>,
}

impl ClaimRequest {
    /// Up to `count` jobs from wherever they wait.
    pub fn everywhere(count: u32) -> Self {
        Self { count, wait: true, prioritized: true, delayed: true, lock: None }
    }
}

/// What a claim gave.
///
/// ```no_run
/// use std::time::Duration;
///
/// use batchmq::{ClaimRequest, ClaimStatus, Error, Queue, Settlement};
///
/// # async fn example(queue: &Queue) -> Result<(), Error> {
/// let request = ClaimRequest { delayed: false, ..ClaimRequest::everywhere(100) };
/// let claim = queue.claim(request).await?;
/// match claim.status {
///     ClaimStatus::Claimed => println!("{} jobs", claim.jobs.len()),
///     ClaimStatus::Limited { wait_ms } => println!("none before {wait_ms} ms"),
///     status => println!("none: {status:?}"),
/// }
/// // What takes long is read anew under its locks, which are made to last.
/// let ids: Vec<String> = claim.jobs.iter().map(|job| job.id.clone()).collect();
/// let lost = queue.renew(&claim.token, &ids).await?;
/// queue.renew_for(&claim.token, &ids, Duration::from_secs(300)).await?;
/// let jobs = queue.held(&claim.token, &ids).await?;
/// println!("{} of {} jobs are not ours any more", lost.len(), jobs.len());
/// // One call ends these and claims the next.
/// let ends: Vec<_> = jobs.into_iter().map(|job| (job, Settlement::Release)).collect();
/// let (settled, next) = queue.settle_and_claim(&claim.token, &ends, request).await?;
/// println!("{} ended, {} claimed", settled.codes.len(), next.jobs.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// The lock token of all its jobs; new for every claim.
    pub token: String,
    /// The jobs, in the order in which they waited.
    pub jobs: Vec<ClaimedJob>,
    /// Ids that stood in the queue without a job behind them; they are gone from it now.
    pub missing: Vec<String>,
    /// Why there are no more.
    pub status: ClaimStatus,
    /// The limit that is in the way, or the pause.
    pub hold: Option<Hold>,
    /// Jobs may wait behind those that the claim looked at, although it took fewer than were asked
    /// for: their data would have made the answer too long, or what was looked at was no job to run.
    pub more: bool,
    /// What became of the next job of each scheduler whose job was claimed, by that job's id.
    pub schedules: Vec<(String, Produced)>,
    /// Jobs of schedulers that were claimed, but whose next one could not be put in place, so that
    /// to run them would end the schedule: left alone, they come back once they have stalled.
    pub unscheduled: Vec<String>,
}

/// Why a claim gave what it gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStatus {
    /// There were jobs; there may be more.
    Claimed,
    /// Nothing waits. The time at which the next delayed job falls due, if the claim looked there
    /// and found one: milliseconds since the epoch.
    Empty {
        /// See above.
        next_due_ms: Option<i64>,
    },
    /// The queue is paused.
    Paused,
    /// As many jobs are active as the queue's own limit allows.
    Full,
    /// The queue's rate limit is used up.
    Limited {
        /// Milliseconds until it is renewed.
        wait_ms: i64,
    },
}

/// One claimed job, as it stood before the claim.
#[derive(Clone, Debug, Default)]
pub struct ClaimedJob {
    /// Its id; bytes that are not UTF-8 stand in it as `\xff`.
    pub id: String,
    /// The id as it is, where it is not UTF-8.
    pub raw_id: Option<Vec<u8>>,
    /// BullMQ's job name.
    pub name: String,
    /// JSON text.
    pub data: String,
    /// What its producer asked for.
    pub opts: StoredOptions,
    /// When it was added: milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// 0: none.
    pub priority: u32,
    /// Attempts that ended: what the next one is judged by.
    pub attempts_made: u32,
    /// Attempts that its hash counts (`atm`). An old producer's own field may say another number,
    /// which then is the one above, but this is the one that goes on.
    pub attempts_counted: u32,
    /// Times it was given back because its owner died.
    pub stalled: u32,
    /// Its deduplication id.
    pub deduplication_id: Option<String>,
    /// The key of its parent in a flow.
    pub parent_key: Option<String>,
    /// The scheduler that made it.
    pub scheduler_id: Option<String>,
    /// The options as they stand, of a scheduler's job: its next one gets them.
    pub stored_opts: Option<String>,
    /// A reason for which it must fail without being run.
    pub deferred_failure: Option<String>,
    /// One entry a failed attempt, oldest first.
    pub stacktrace: Vec<String>,
}

#[derive(Clone, Serialize)]
pub(crate) struct Args<'a> {
    token: &'a str,
    count: u32,
    #[serde(rename = "lockMs")]
    lock_ms: u64,
    #[serde(rename = "maxBytes")]
    max_bytes: usize,
    wait: bool,
    prioritized: bool,
    delayed: bool,
    again: bool,
    #[serde(rename = "openDeduplication", skip_serializing_if = "std::ops::Not::not")]
    open_deduplication: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
}

#[derive(Serialize)]
struct Call<'a> {
    events: Events,
    claim: Args<'a>,
}

impl Queue {
    /// Claims up to `request.count` jobs in one round trip. Where there are jobs of schedulers among
    /// them, two more put their next ones in place.
    ///
    /// # Errors
    /// [`Error::Redis`]. When the answer is lost, the call is repeated and finds what it took.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Claim, Error> {
        let token = nonce();
        let keys = self.keys.fixed(&token);
        let answer = self
            .run(&CLAIM, &keys, |again| Call {
                events: self.options.events,
                claim: self.claim_args(&token, request, again),
            })
            .await?;
        let claim = match answer.as_slice() {
            [jobs, missing, status, ms, more, settings @ ..] => {
                self.read_claim(token, missing, [jobs, status, ms, more], settings)
            }
            _ => None,
        }
        .ok_or(Error::Protocol(CLAIM.name))?;
        Ok(self.keep_schedules(claim).await)
    }

    /// Reads what a script answered of a claim, and of the queue's `settings`, as lib/settings.lua reads them.
    pub(crate) fn read_claim(
        &self,
        token: String,
        missing: &Value,
        answer: [&Value; 4],
        settings: &[Value],
    ) -> Option<Claim> {
        let claim = parse(token, missing, answer)?;
        let texts = settings.first().and_then(Value::as_array).unwrap_or_default();
        let number = |place: usize| texts.get(place).and_then(Value::as_str).and_then(whole);
        let (concurrency, max, duration) = (number(1), number(2), number(3));
        let rate = max.zip(duration).map(|(max, duration_ms)| StoredRate { max, duration_ms });
        let rate = self.with_own_rate(Limits { rate, ..Limits::default() }).rate;
        let hold = match claim.status {
            ClaimStatus::Claimed | ClaimStatus::Empty { .. } => None,
            ClaimStatus::Paused => Some(Hold::Paused),
            ClaimStatus::Full => {
                let over = answer[2].as_int().unwrap_or_default().unsigned_abs();
                let active = concurrency.unwrap_or_default() + over;
                Some(Hold::Full { concurrency, active, left_ms: None })
            }
            ClaimStatus::Limited { wait_ms } => Some(Hold::Limited {
                max: rate.map(|rate| rate.max),
                duration_ms: rate.map(|rate| rate.duration_ms),
                left_ms: u64::try_from(wait_ms).unwrap_or_default(),
            }),
        };
        Some(Claim { hold, ..claim })
    }

    pub(crate) fn claim_args<'a>(
        &self,
        token: &'a str,
        request: ClaimRequest,
        again: bool,
    ) -> Args<'a> {
        Args {
            token,
            count: request.count,
            lock_ms: millis(request.lock.unwrap_or(self.options.lock)),
            max_bytes: MOST_BYTES,
            wait: request.wait,
            prioritized: request.prioritized,
            delayed: request.delayed,
            again,
            open_deduplication: self.options.open_deduplication,
            max: self.options.limiter.max,
            // Without a limit of ours the queue's own duration holds.
            duration: self.options.limiter.max.map(|_| millis(self.options.limiter.duration)),
        }
    }
}

/// Reads what a script answered of a claim.
fn parse(token: String, missing: &Value, [jobs, status, ms, more]: [&Value; 4]) -> Option<Claim> {
    // A job may be delayed for longer than any integer says.
    let ms = ms.as_int().or_else(|| Some(ms.as_str()?.parse::<f64>().ok()? as i64))?;
    let status = match status.as_str()? {
        "claimed" => ClaimStatus::Claimed,
        "empty" => ClaimStatus::Empty { next_due_ms: (ms > 0).then_some(ms) },
        "paused" => ClaimStatus::Paused,
        "full" => ClaimStatus::Full,
        "limited" => ClaimStatus::Limited { wait_ms: ms },
        _ => return None,
    };
    Some(Claim {
        token,
        jobs: jobs.as_array()?.iter().map(job).collect::<Option<_>>()?,
        missing: strings(missing)?,
        schedules: Vec::new(),
        unscheduled: Vec::new(),
        more: more.as_int()? == 1,
        hold: None,
        status,
    })
}

/// Reads one job: its id, then the fields in the order of lib/readJob.lua.
pub(crate) fn job(value: &Value) -> Option<ClaimedJob> {
    let fields = value.as_array()?;
    let id = fields.first()?.as_bytes()?;
    let raw_id = std::str::from_utf8(id).is_err().then(|| id.to_vec());
    let id = text(id);
    // A field that is not UTF-8 cannot be one that BullMQ wrote; read what can be read of it.
    let text = |i: usize| match fields.get(i) {
        Some(value @ Value::Bytes(_)) => Some(lossy(value)),
        Some(Value::Int(n)) => Some(n.to_string()),
        _ => None,
    };
    let number = |i: usize| text(i).and_then(|t| t.parse::<f64>().ok());
    // `as` saturates, which is the right reading of an absurd counter.
    let count = |i: usize| number(i).unwrap_or(0.0) as u32;
    Some(ClaimedJob {
        id,
        raw_id,
        name: text(1).unwrap_or_default(),
        data: text(2).unwrap_or_else(|| "{}".to_owned()),
        opts: StoredOptions::parse(text(3).as_deref().unwrap_or("{}")),
        timestamp_ms: number(4).unwrap_or(0.0) as i64,
        priority: count(5),
        attempts_made: if fields.get(8).is_some_and(|v| *v != Value::Nil) {
            count(8)
        } else {
            count(7)
        },
        attempts_counted: count(7),
        stalled: count(9),
        deduplication_id: text(10),
        parent_key: text(11),
        scheduler_id: text(12),
        stored_opts: text(12).and(text(3)),
        deferred_failure: text(13),
        stacktrace: text(14).and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
    })
}
