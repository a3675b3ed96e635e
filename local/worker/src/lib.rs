//! The drain for those who are not on Lambda, in a container or on a machine of their own: what `deo
//! worker` and `deo-worker` run.

mod metrics;
mod sleep;
mod waits;

use std::net::SocketAddr;
use std::time::Duration;

use command::{Outcome, Signals, address, complain, say, time};
use drain::Drain;
use shared::checks;
use shared::config::{Config, ProcessEnv};
use shared::engine::{Report, StoppedBecause, Stopper};
use shared::redis::FullJitter;
use tokio::time::Instant;

use self::metrics::Metrics;
use self::sleep::Sleep;

/// Waits after a failed tick: from this on average half, doubling ...
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// ... up to this.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// Work on the queue until SIGTERM, SIGHUP or Ctrl-C
///
/// Over TCP it sleeps on BullMQ's marker and starts within milliseconds, and BullMQ's getWorkers() and
/// dashboards list it; over Upstash's REST API, which refuses commands that block, it looks every so often.
/// At the signal it finishes the batch under way, or after 5 s gives it back, and exits with 0 after SIGTERM or SIGHUP
/// and 130 after Ctrl-C. A second signal ends it at once. Under nohup it goes on at SIGHUP.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How often to look for work that nothing told of: jobs of workers that died, jobs added without a
    /// marker; over REST, any job.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    every: Duration,

    /// Print each tick that did something as one line of JSON.
    #[arg(long)]
    json: bool,

    /// Answer Prometheus at GET /metrics of this address. It asks for no password: keep it from the internet.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    metrics: Option<SocketAddr>,
}

/// Works on the queue that the environment names until it is asked to stop.
///
/// # Errors
/// When the settings cannot work, or the work ends by itself.
pub async fn run(args: Args) -> Outcome {
    let mut signals = Signals::new()?;
    let config = Config::from_env(&ProcessEnv)?;
    if !config.drain.enabled {
        return Err("ENABLE_QUEUE_PROCESSORS is false: a worker would do nothing".into());
    }
    let drain = Drain::new(&config)?.living_long();
    let mut sleep = Sleep::new(&drain, args.every);
    say(sleep.describe())?;
    let only_queue = drain.queues().next().map(|queue| queue.options().name.clone());
    let metrics = Metrics::new(only_queue.unwrap_or_default());
    if let Some(address) = args.metrics {
        let refused = |error| format!("--metrics {address}: {error}");
        say(format!("metrics: http://{}/metrics", metrics.serve(address).await.map_err(refused)?))?;
    }
    if let Some(queue) = drain.queues().next() {
        for finding in checks::at_start(&ProcessEnv, queue).await {
            complain(format!("deo: {finding}"));
        }
    }
    let (stopper, stop) = Stopper::new();
    let mut work = tokio::spawn(async move {
        let mut backoff = FullJitter::new(FIRST_WAIT, LAST_WAIT, rand::random::<f64>);
        sleep.appear().await;
        while !stop.is_asked() {
            let report = drain.tick_until(Instant::now() + config.drain.timeout, &stop).await;
            metrics.count(&report);
            // Whoever closed our stdout still wants the jobs done.
            let _ = tell(&report, args.json);
            let ended = |reason| reasons(&report).any(|other| other == reason);
            // One queue with work left is enough, whatever is in the way of the others.
            if ended(StoppedBecause::Deadline) {
                if !stop.is_asked() {
                    sleep.appear().await;
                }
                continue;
            }
            let fails = ended(StoppedBecause::Error);
            let slept = match reasons(&report).all(|reason| reason == StoppedBecause::Error) {
                true => Err(()),
                false => {
                    let retry_in = if fails { backoff.next_wait() } else { Duration::ZERO };
                    sleep.until_work(&report, retry_in, &stop).await.map_err(|error| {
                        complain(format!("deo: waiting for work failed: {error}"));
                    })
                }
            };
            match slept {
                Ok(()) if fails => {}
                Ok(()) => backoff = FullJitter::new(FIRST_WAIT, LAST_WAIT, rand::random::<f64>),
                Err(()) => {
                    tokio::select! {
                        () = tokio::time::sleep(backoff.next_wait()) => {}
                        () = stop.asked() => {}
                    }
                }
            }
        }
        sleep.leave().await;
    });
    let stopped = tokio::select! {
        ended = &mut work => {
            // For whoever starts it anew: a worker that only seems to live helps nobody.
            ended?;
            return Err("the work ended by itself".into());
        }
        stopped = signals.next() => stopped,
    };
    stopper.stop();
    tokio::select! {
        ended = work => ended?,
        stopped = signals.next() => return Ok(stopped.code()),
    }
    // Whoever closed our stdout need not hear of it.
    let _ = say("stopped");
    Ok(stopped.code_of_server())
}

/// Why each queue's work ended.
fn reasons(report: &Report) -> impl Iterator<Item = StoppedBecause> {
    let only = report.queues.is_empty().then_some(report);
    report.queues.values().chain(only).map(|report| report.stopped_because)
}

/// Says what a tick did, if it did something.
fn tell(report: &Report, json: bool) -> std::io::Result<()> {
    let failed = report.stopped_because == StoppedBecause::Error;
    if failed {
        complain(format!("deo: {}", report.error.as_deref().unwrap_or("the tick failed")));
    }
    if report.claimed == 0 && report.recovered == 0 && report.missing == 0 && !(failed && json) {
        return Ok(());
    }
    if json {
        return say(serde_json::json!(report).to_string());
    }
    say(format!(
        "{} completed, {} failed, {} retried, {} given back in {} ms",
        report.completed, report.failed, report.retried, report.released, report.duration_ms
    ))
}
