//! Runs a thousand invocations on a paused clock, with slow jobs, jobs that hang, and a Redis that is far away: none
//! outlives its deadline, and none ends a job after the end of its lock. (With a database and on the machine's
//! clock: `recompute::slow` and `recompute::deadlines`.)
//!
//! `DEO_SEED` repeats a run; every run prints its seed.

mod distance;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use servers::RedisServer;
use shared::clock::Clock;
use shared::engine::{Context, Handler, StoppedBecause, TickOptions, Ticker};
use shared::queue::{ClaimedJob, NewJob, Queue, QueueOptions, Settlement};
use shared::redis::{Command, Endpoint, Redis, Secret, Value};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use super::Down;
use distance::from_afar;

const INVOCATIONS: u64 = 1_000;

/// Of a hundred answers of Redis, ninety-nine come within this; the last takes up to three times as long.
const REDIS_P99: Duration = Duration::from_millis(20);

/// How long a job takes.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// Of a hundred jobs, ninety-nine take no longer; the last takes up to three times as long.
    p99: Duration,
    /// Whether a batch's jobs are done at the same time.
    together: bool,
    /// Whether one in fifty never ends.
    hang: bool,
}

/// Takes its time for jobs, and remembers until when each is its own.
struct Slow {
    times: Times,
    random: Mutex<StdRng>,
    /// Past the clock: how long a lock lives is Redis' own time.
    redis: Mutex<redis::Connection>,
    queue: String,
    locked_until: Mutex<Vec<Instant>>,
}

impl Slow {
    fn time(&self) -> Duration {
        let mut random = self.random.lock().unwrap();
        if self.times.hang && random.random_ratio(1, 50) {
            return Duration::from_secs(86_400);
        }
        up_to(self.times.p99, &mut random)
    }

    /// The ends of the jobs' locks.
    fn note_locks(&self, jobs: &[ClaimedJob]) {
        let mut redis = self.redis.lock().unwrap();
        let mut ask = redis::pipe();
        for job in jobs {
            ask.cmd("PTTL").arg(format!("bull:{}:{}:lock", self.queue, job.id));
        }
        let left: Vec<i64> = ask.query(&mut *redis).unwrap();
        let now = Instant::now();
        let ends = left.iter().map(|ms| now + Duration::from_millis((*ms).try_into().unwrap()));
        self.locked_until.lock().unwrap().extend(ends);
    }
}

impl Handler for Slow {
    type Error = Down;

    async fn handle(&self, jobs: &[ClaimedJob], _: &Context<'_>) -> Result<Vec<Settlement>, Down> {
        self.note_locks(jobs);
        let times = jobs.iter().map(|_| self.time());
        let time: Duration = match self.times.together {
            true => times.max().unwrap_or_default(),
            false => times.sum(),
        };
        sleep(time).await;
        Ok(vec![Settlement::Complete("null".to_owned()); jobs.len()])
    }
}

/// A time of which ninety-nine in a hundred are below `p99`, and all below three times that.
fn up_to(p99: Duration, random: &mut StdRng) -> Duration {
    let most = if random.random_ratio(1, 100) { 3 * p99 } else { p99 };
    most.mul_f64(random.random())
}

/// What is different from one invocation to the next.
#[derive(Debug)]
struct Plan {
    deadline: Duration,
    jobs: usize,
    times: Times,
    options: TickOptions,
    /// Too far from Redis for the margin: what is under way at the deadline stays locked.
    far: bool,
}

impl Plan {
    fn new(random: &mut StdRng) -> Self {
        let deadline = Duration::from_millis(random.random_range(1_000..=60_000));
        let jobs = random.random_range(5..=60);
        let far = random.random_ratio(1, 10);
        let margins = if far { [0, 50, 100] } else { [500, 1_000, 3_000] };
        let margin = Duration::from_millis(margins[random.random_range(0..3)]);
        // From work that is done soon to four times as much as there is time for.
        let work = deadline.mul_f64(random.random_range(0.05..4.0));
        let times = Times {
            p99: work / jobs as u32,
            together: random.random(),
            hang: random.random_ratio(1, 5),
        };
        let options = TickOptions {
            timeout: Duration::from_secs(60),
            margin: margin.min(deadline / 2),
            batch_size: [1, 7, 100][random.random_range(0..3)],
            lanes: random.random_range(1..=4),
            ..TickOptions::default()
        };
        Self { deadline, jobs, times, options, far }
    }
}

fn client(url: &str) -> Redis {
    Redis::new(&Endpoint::Tcp { url: Secret::new(url), allow_plaintext: false }).unwrap()
}

#[test]
fn a_thousand_invocations_end_in_time_whatever_their_jobs_take() {
    let seed = std::env::var("DEO_SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("seed {seed}: DEO_SEED={seed} repeats the run");
    // The server is started by the machine's clock.
    let outside = Builder::new_current_thread().enable_all().build().unwrap();
    let server = outside.block_on(RedisServer::start()).unwrap();
    let paused = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (mut late, mut released, mut completed, mut kept) = (0, 0, 0, 0);
    paused.block_on(async {
        let here = client(&from_afar(server.url(), || Box::new(|| Duration::ZERO)).await);
        let distant = |p99: Duration| {
            let latency = move || -> distance::Latency {
                let mut random = StdRng::seed_from_u64(seed);
                Box::new(move || up_to(p99, &mut random))
            };
            from_afar(server.url(), latency)
        };
        let afar = client(&distant(REDIS_P99).await);
        let farther = client(&distant(20 * REDIS_P99).await);
        for n in 0..INVOCATIONS {
            let mut random = StdRng::seed_from_u64(seed.wrapping_add(n));
            let plan = Plan::new(&mut random);
            let at = format!("seed {seed}, invocation {n}: {plan:?}");
            let options = QueueOptions::new(format!("deadline-{n}"));
            let queue = Queue::new(here.clone(), &options, Clock::System);
            queue.add(&vec![NewJob::new("job", "{}"); plan.jobs], None).await.expect(&at);
            let handler = Arc::new(Slow {
                times: plan.times,
                random: Mutex::new(random),
                redis: Mutex::new(
                    redis::Client::open(server.url()).unwrap().get_connection().unwrap(),
                ),
                queue: options.name.clone(),
                locked_until: Mutex::default(),
            });
            let redis = if plan.far { &farther } else { &afar };
            let served = Queue::new(redis.clone(), &options, Clock::System);
            let ticker = Ticker::new(served, handler.clone(), plan.options.clone(), Clock::System);

            let deadline = Instant::now() + plan.deadline;
            let report = ticker.tick(deadline).await;
            let ended = Instant::now();
            assert!(ended <= deadline, "{:?} too late: {at}: {report:?}", ended - deadline);
            let locks = handler.locked_until.lock().unwrap().clone();
            assert!(locks.iter().all(|end| *end > ended), "a lock ended before its tick: {at}");
            assert_eq!((report.failed, report.retried, report.lost), (0, 0, 0), "{at}: {report:?}");

            let counts = queue.counts().await.expect(&at);
            let there = counts.completed + counts.wait + counts.active;
            assert_eq!(there as usize, plan.jobs, "{at}: {counts:?}");
            if !plan.far {
                assert_ne!(report.stopped_because, StoppedBecause::Error, "{at}: {report:?}");
                assert_eq!(counts.active, 0, "{at}: {report:?}");
                assert_eq!(counts.completed, report.completed, "{at}");
            }
            assert_eq!(
                tried(&here, &options.name).await,
                counts.completed,
                "{at}: an attempt counts"
            );
            late += u64::from(report.stopped_because == StoppedBecause::Deadline);
            (released, completed) = (released + report.released, completed + counts.completed);
            kept += counts.active;
            here.call(Command::new("FLUSHDB")).await.expect(&at);
        }
    });
    println!(
        "{INVOCATIONS} invocations, {late} stopped by their time; {completed} jobs completed, {released} given \
         back, {kept} left under their locks"
    );
    assert!(late > 100 && released > 100 && completed > 1_000, "it was all too easy");
}

/// How many jobs have an attempt counted.
async fn tried(redis: &Redis, queue: &str) -> u64 {
    let ids = Command::new("LRANGE").arg(format!("bull:{queue}:wait")).arg("0").arg("-1");
    let done = Command::new("ZRANGE").arg(format!("bull:{queue}:completed")).arg("0").arg("-1");
    let mut asked = Vec::new();
    for ids in redis.pipeline(vec![ids, done]).await.unwrap() {
        for id in ids.unwrap().as_array().unwrap() {
            let key = format!("bull:{queue}:{}", id.as_str().unwrap());
            asked.push(Command::new("HGET").arg(key).arg("atm"));
        }
    }
    let attempts = redis.pipeline(asked).await.unwrap();
    attempts.into_iter().filter(|answer| *answer.as_ref().unwrap() != Value::Nil).count() as u64
}
