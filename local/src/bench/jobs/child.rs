//! Our subjects: what runs in a process of its own, on one thread as the functions do.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use drain::Drain;
use futures_util::future::try_join_all;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use shared::clock::Clock;
use shared::config::{Config, ProcessEnv};
use shared::deo::Score;
use shared::engine::{
    Context, Handler, Report, Stop, StoppedBecause, Stopper, TickOptions, Ticker,
};
use shared::queue::{ClaimedJob, Queue, Settlement};
use shared::store::{Database, NewSnapshot, Store, snapshot_id};

use super::stage::job;
use super::subject::Done;
use crate::seed::Plan;
use crate::terminal::say;
use crate::{Failure, Outcome};

/// What a subject does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Task {
    /// Ticks until the queue is empty.
    Drain,
    /// The same with a handler that does nothing, and until so many jobs are done.
    Noop { jobs: u64 },
    /// Adds jobs.
    Enqueue { jobs: u32 },
    /// Reads, scores and saves projects in batches, so many at a time.
    Postgres { projects: u32, at_once: usize, round: u64 },
}

/// Does what it was told in JSON, once it is told to go.
pub(crate) async fn run(task: &str) -> Outcome {
    let task: Task = serde_json::from_str(task)?;
    let done = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work(task))
    });
    say(serde_json::to_string(&done.await??)?)?;
    Ok(ExitCode::SUCCESS)
}

async fn work(task: Task) -> Result<Done, Failure> {
    let config = Config::from_env(&ProcessEnv)?;
    match task {
        Task::Drain => {
            let drain = Drain::new(&config)?;
            drain.connect().await;
            clocked(async || ticked(async || drain.tick(far()).await).await).await
        }
        Task::Noop { jobs } => noop(&config, jobs).await,
        Task::Enqueue { jobs } => {
            let queue = queue(&config)?;
            queue.redis().connect().await;
            let job = |n: u32| job(&format!("project-{n}"), Some(queue.options()));
            let jobs = (0..jobs).map(job).collect::<Result<Vec<_>, _>>()?;
            clocked(async || Ok(queue.enqueue(&jobs).await?.len() as u64)).await
        }
        Task::Postgres { projects, at_once, round } => {
            postgres(&config, projects, at_once, round).await
        }
    }
}

/// Later than any tick ends.
fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + super::LONGEST
}

fn queue(config: &Config) -> Result<Queue, Failure> {
    let redis = config.redis_client()?.ok_or("no Redis is configured")?;
    Ok(Queue::new(redis, &config.queue, Clock::System))
}

/// Ticks until one finds nothing more; the jobs that were done.
async fn ticked(mut tick: impl AsyncFnMut() -> Report) -> Result<u64, Failure> {
    let mut completed = 0;
    loop {
        let report = tick().await;
        completed += report.completed;
        match report.stopped_because {
            StoppedBecause::Empty => return Ok(completed),
            StoppedBecause::Deadline => {}
            other => return Err(format!("a tick ended with {other:?}: {:?}", report.error).into()),
        }
    }
}

/// Does nothing, and asks for the end once that was enough.
struct Idler {
    left: AtomicU64,
    enough: Stopper,
}

impl Handler for Idler {
    type Error = std::convert::Infallible;

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        _context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Self::Error> {
        let many = jobs.len() as u64;
        if self.left.fetch_sub(many, Ordering::SeqCst) <= many {
            self.enough.stop();
            self.left.store(u64::MAX, Ordering::SeqCst);
        }
        // As long as a recompute's result.
        let result = r#"{"projectId":"project","snapshotId":"c0123456789abcdef0123456789abcdef"}"#;
        Ok(jobs.iter().map(|_| Settlement::Complete(result.to_owned())).collect())
    }
}

async fn noop(config: &Config, jobs: u64) -> Result<Done, Failure> {
    let (enough, stop) = Stopper::new();
    let drain = &config.drain;
    let options = TickOptions {
        timeout: drain.timeout,
        margin: drain.margin,
        batch_size: drain.batch_size,
        lanes: drain.lanes,
        ..TickOptions::default()
    };
    let idler = Idler { left: AtomicU64::new(jobs), enough };
    let ticker = Ticker::new(queue(config)?, idler, options, Clock::System);
    ticker.connect().await;
    clocked(async || {
        let mut completed = 0;
        while completed < jobs {
            let never = Stop::never();
            let stop = if completed == 0 { &stop } else { &never };
            let report = ticker.tick_until(far(), stop).await;
            if report.completed == 0 {
                return Err(format!("a tick did nothing: {report:?}").into());
            }
            completed += report.completed;
        }
        Ok(completed)
    })
    .await
}

/// Our two statements on as many connections, and nothing else.
async fn postgres(
    config: &Config,
    projects: u32,
    at_once: usize,
    round: u64,
) -> Result<Done, Failure> {
    let url = config.database_url.as_ref().ok_or("no database is configured")?;
    let store = Store::with_connections(Database::parse(url)?, at_once);
    let plan = Plan { projects, pages: 0, products: 0, seed: 1, now_ms: 0 };
    let ids: Arc<Vec<String>> = Arc::new(plan.project_ids().collect());
    let size = config.drain.batch_size as usize;
    let next = AtomicU64::new(0);
    clocked(async || {
        let lanes = (0..at_once).map(|_| async {
            loop {
                let batch = next.fetch_add(1, Ordering::SeqCst) as usize;
                let Some(ids) = ids.chunks(size).nth(batch) else { return Ok::<(), Failure>(()) };
                recompute(&store, ids, round).await?;
            }
        });
        try_join_all(lanes).await?;
        Ok(u64::from(projects))
    })
    .await
}

async fn recompute(store: &Store, ids: &[String], round: u64) -> Result<(), Failure> {
    let rows = store.signals(ids).await?;
    let now_ms = Clock::System.now_ms();
    let mut snapshots = Vec::with_capacity(rows.len());
    for (id, rows) in rows {
        let rows = rows?;
        let score = Score::of(rows.tally.signals(now_ms));
        let v1 = &score.v1;
        snapshots.push(NewSnapshot {
            id: snapshot_id("bench", "floor", &id, round.cast_signed()),
            project_id: id,
            computed_at_ms: rows.read_at_ms,
            overall: v1.overall.into(),
            content: v1.content.into(),
            entities: v1.entities.into(),
            technical: v1.technical.into(),
            visibility: v1.visibility.into(),
            metadata: serde_json::value::to_raw_value(&score.metadata())?,
        });
    }
    store.save(&snapshots).await?;
    Ok(())
}

/// Says that it is ready, waits to be told to go, and takes the time of `work`, which says how many jobs
/// it did.
async fn clocked(work: impl AsyncFnOnce() -> Result<u64, Failure>) -> Result<Done, Failure> {
    say("ready")?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let jobs = work().await?;
    let (seconds, cpu_seconds) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    Ok(Done { jobs, seconds, cpu_seconds, peak_kb: peak_kb() })
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
