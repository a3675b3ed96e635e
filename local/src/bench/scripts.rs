//! How long the scripts are, and how long they keep a full Redis busy.

use serde::Serialize;
use shared::config::{Config, QueueOptions};
use shared::queue::script_sizes;
use shared::queue::{Claim, ClaimRequest, ClaimedJob, JobOptions, NewJob, Queue, Settlement};
use shared::recompute::{JobData, Reason, recompute_job};
use shared::redis::Command;
use shared::store::{NotAnId, ProjectId};

use crate::Failure;
use crate::bench::commandstats::Executed;
use crate::queue::connect;
use crate::servers::RedisServer;
use crate::settings::Settings;
use crate::terminal::{Step, progress, table};

/// Jobs a call.
const BATCH: usize = 100;

/// Calls of each kind that are measured.
const ROUNDS: usize = 25;

/// Batches that are settled before, so that retention has to make room for each further one.
const WARM_UP: usize = 12;

/// What the scripts of every job may take: bytes, and milliseconds of the server's time, as the median
/// of a call.
const MOST_BYTES: usize = 20 * 1_024;
const MOST_MS: f64 = 5.0;

/// The only call that may take twice as long: it does the work of two.
const DOUBLE: &str = "settle, evict 100, and claim, deduplicated: the work of two calls";

/// How long one kind of call keeps the server busy, and how long its median may.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Timing {
    call: &'static str,
    median_ms: f64,
    worst_ms: f64,
    most_ms: f64,
}

impl Timing {
    fn kept(&self) -> bool {
        self.median_ms < self.most_ms
    }
}

#[derive(Serialize)]
struct Size {
    script: &'static str,
    bytes: usize,
}

/// What was measured.
#[derive(Serialize)]
pub(crate) struct Measured {
    jobs: u32,
    scripts: Vec<Size>,
    calls: Vec<Timing>,
}

/// Measures on a private Redis with `jobs` waiting jobs and as many prioritized ones. Steps are `told` on
/// stdout.
pub(crate) async fn measure(jobs: u32, told: bool) -> Result<Measured, Failure> {
    let step = Step::begin("starting Redis", told);
    let server = RedisServer::start().await?;
    let bench = Bench::on(&server)?;
    step.done("Redis")?;
    bench.fill(jobs).await?;
    let calls = bench.measure().await?;
    let scripts = script_sizes().map(|(script, bytes)| Size { script, bytes }).collect();
    Ok(Measured { jobs, scripts, calls })
}

impl Measured {
    /// Returns whether the scripts are as small and as quick as they have to be.
    pub(crate) fn kept(&self) -> bool {
        let small = self.scripts.iter().all(|size| size.bytes <= MOST_BYTES);
        small && self.calls.iter().all(Timing::kept)
    }

    /// Returns a table of the scripts and one of the calls.
    pub(crate) fn tables(&self) -> [String; 2] {
        let mut scripts = table(&["script", "bytes", "at most"], &[1, 2]);
        for size in &self.scripts {
            scripts.add_row([size.script, &size.bytes.to_string(), &MOST_BYTES.to_string()]);
        }
        let title = format!("100 jobs, {0} waiting and {0} prioritized", self.jobs);
        let mut calls = table(&[&title, "ms, median", "worst", "median below"], &[1, 2, 3]);
        for timing in &self.calls {
            let [median, worst] = [timing.median_ms, timing.worst_ms].map(|ms| format!("{ms:.2}"));
            calls.add_row([timing.call, &median, &worst, &format!("{:.0}", timing.most_ms)]);
        }
        [scripts.to_string(), calls.to_string()]
    }
}

struct Bench {
    queue: Queue,
    config: QueueOptions,
}

impl Bench {
    fn on(server: &RedisServer) -> Result<Self, Failure> {
        let settings = Settings::default()
            .without("UPSTASH_REDIS_REST_URL")
            .without("UPSTASH_REDIS_REST_TOKEN")
            .without("ENABLE_QUEUE_EVENTS")
            .with("REDIS_TRANSPORT", "tcp")
            .with("REDIS_URL", server.url());
        let config = Config::from_env(&settings)?;
        Ok(Self { queue: connect(&config)?, config: config.queue })
    }

    /// As the API asks for it: deduplicated, with retention.
    fn asked(&self, i: u32) -> Result<NewJob, NotAnId> {
        let project_id = ProjectId::parse(format!("project-{i}"))?;
        Ok(recompute_job(&JobData::new(project_id, Reason::Manual), &self.config))
    }

    fn plain(&self, i: u32, priority: u32) -> Result<NewJob, NotAnId> {
        let opts = JobOptions { priority, ..JobOptions::default() };
        Ok(NewJob { opts, ..self.asked(i)? })
    }

    async fn fill(&self, jobs: u32) -> Result<(), Failure> {
        const CALL: u32 = 1_000;
        let bar = progress(u64::from(jobs) * 2, "filling");
        for from in (0..jobs).step_by(CALL as usize) {
            let page = || from..(from + CALL).min(jobs);
            let asked = page().map(|i| self.asked(i)).collect::<Result<Vec<_>, _>>()?;
            self.queue.enqueue(&asked).await?;
            let ranked =
                page().map(|i| self.plain(i, 1 + i % 20)).collect::<Result<Vec<_>, _>>()?;
            self.queue.enqueue(&ranked).await?;
            bar.inc(2 * page().len() as u64);
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn measure(&self) -> Result<Vec<Timing>, Failure> {
        let mut spans = Spans::default();
        for round in 0..ROUNDS {
            let first = 1_000_000_000 + u32::try_from(round * BATCH)?;
            let numbers = first..first + u32::try_from(BATCH)?;
            let plain: Vec<_> =
                numbers.clone().map(|i| self.plain(i, 0)).collect::<Result<_, _>>()?;
            let ranked: Vec<_> =
                numbers.clone().map(|i| self.plain(i, 7)).collect::<Result<_, _>>()?;
            let asked: Vec<_> = numbers.map(|i| self.asked(i)).collect::<Result<_, _>>()?;
            spans.time("enqueue, plain", &self.queue, self.queue.enqueue(&plain)).await?;
            spans.time("enqueue, prioritized", &self.queue, self.queue.enqueue(&ranked)).await?;
            spans.time("enqueue, deduplicated", &self.queue, self.queue.enqueue(&asked)).await?;
        }
        // Those that wait have retention, those with a priority are kept. In this order, each batch
        // evicts as many jobs as it completes.
        let waiting = ClaimRequest { prioritized: false, ..all() };
        for _ in 0..WARM_UP {
            let claim = full(self.queue.claim(waiting).await?)?;
            self.queue.settle(&claim.token.clone(), &completed(claim)).await?;
        }
        self.work(&mut spans, ["claim", "settle and evict 100, deduplicated"], waiting).await?;
        self.chain(&mut spans, DOUBLE, waiting).await?;
        let ranked = ClaimRequest { wait: false, ..all() };
        self.work(&mut spans, ["claim, prioritized", "settle, plain, all kept"], ranked).await?;
        self.chain(&mut spans, "settle and claim, plain, all kept", ranked).await?;
        // 200 jobs are active by now, and stay ours.
        let check = format!("{}:{}:stalled-check", self.config.prefix, self.config.name);
        for _ in 0..ROUNDS {
            spans
                .time("look for stalled jobs, find none", &self.queue, self.queue.recover())
                .await?;
            self.queue.redis().call(Command::new("DEL").arg(&*check)).await?;
        }
        Ok(spans.timings())
    }

    /// Claims and settles in two calls each.
    async fn work(
        &self,
        spans: &mut Spans,
        [claims, settles]: [&'static str; 2],
        request: ClaimRequest,
    ) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let claim = spans.time(claims, &self.queue, self.queue.claim(request)).await?;
            let (token, jobs) = (claim.token.clone(), completed(full(claim)?));
            spans.time(settles, &self.queue, self.queue.settle(&token, &jobs)).await?;
        }
        Ok(())
    }

    /// Settles and claims in one call, and leaves the last 100 jobs active.
    async fn chain(
        &self,
        spans: &mut Spans,
        call: &'static str,
        request: ClaimRequest,
    ) -> Result<(), Failure> {
        let request = ClaimRequest { delayed: false, ..request };
        let mut claim = full(self.queue.claim(request).await?)?;
        for _ in 0..ROUNDS {
            let (token, jobs) = (claim.token.clone(), completed(claim));
            let next = self.queue.settle_and_claim(&token, &jobs, request);
            claim = full(spans.time(call, &self.queue, next).await?.1)?;
        }
        Ok(())
    }
}

fn all() -> ClaimRequest {
    ClaimRequest::everywhere(BATCH as u32)
}

fn full(claim: Claim) -> Result<Claim, Failure> {
    match claim.jobs.len() {
        BATCH => Ok(claim),
        jobs => Err(format!("a claim took {jobs} jobs: ask for more with --jobs").into()),
    }
}

fn completed(claim: Claim) -> Vec<(ClaimedJob, Settlement)> {
    let done = Settlement::Complete(r#"{"projectId":"p","snapshotId":"s"}"#.to_owned());
    claim.jobs.into_iter().map(|job| (job, done.clone())).collect()
}

/// What was measured, by kind of call, in the order in which they first came.
#[derive(Default)]
struct Spans(Vec<(&'static str, Vec<f64>)>);

impl Spans {
    /// Runs `call`, which is one script, and notes how long it kept the server busy.
    async fn time<T>(
        &mut self,
        name: &'static str,
        queue: &Queue,
        call: impl Future<Output = Result<T, shared::queue::Error>>,
    ) -> Result<T, Failure> {
        let before = Executed::by(queue.redis()).await?;
        let answer = call.await?;
        let spent = Executed::by(queue.redis()).await?.since(before);
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, spans)) => spans.push(spent.busy_ms()),
            None => self.0.push((name, vec![spent.busy_ms()])),
        }
        Ok(answer)
    }

    fn timings(mut self) -> Vec<Timing> {
        for (_, spans) in &mut self.0 {
            spans.sort_by(f64::total_cmp);
        }
        let timing = |(call, spans): &(&'static str, Vec<f64>)| Timing {
            call,
            median_ms: spans.get(spans.len() / 2).copied().unwrap_or_default(),
            worst_ms: spans.last().copied().unwrap_or_default(),
            most_ms: if *call == DOUBLE { 2.0 * MOST_MS } else { MOST_MS },
        };
        self.0.iter().map(timing).collect()
    }
}
