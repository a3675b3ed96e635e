//! Jobs that nobody waits for gather until a window begins, on a clock that the tests move.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use servers::RedisServer;
use shared::clock::Clock;
use shared::engine::{Context, Handler, Patience, Report, StoppedBecause, TickOptions, Ticker};
use shared::queue::{ClaimedJob, JobOptions, NewJob, Queue, QueueOptions, Settlement};
use shared::redis::{Endpoint, Redis, Secret};
use tokio::time::Instant;

use super::Down;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// A multiple of half an hour.
const MIDNIGHT: i64 = 20_000 * DAY;
const PATIENCE: Patience =
    Patience { window: Duration::from_secs(1_800), every: Duration::from_secs(60) };

/// What a nightly recompute's jobs have.
const PRIORITY: u32 = 10;

/// A database that notes when it was asked.
struct Database {
    clock: Clock,
    asked_ms: Mutex<Vec<i64>>,
}

impl Handler for Database {
    type Error = Down;

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        _context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Down> {
        self.asked_ms.lock().unwrap().push(self.clock.now_ms());
        Ok(jobs.iter().map(|_| Settlement::Complete("null".to_owned())).collect())
    }
}

struct Bench {
    clock: Clock,
    queue: Queue,
    database: Arc<Database>,
    ticker: Ticker,
    // Stops when it is dropped.
    _server: RedisServer,
}

impl Bench {
    async fn at(now_ms: i64, options: TickOptions) -> Self {
        let server = RedisServer::start().await.unwrap();
        let redis =
            Redis::new(&Endpoint::Tcp { url: Secret::new(server.url()), allow_plaintext: false });
        let clock = Clock::manual(now_ms);
        let queue = Queue::new(redis.unwrap(), &QueueOptions::new("patient"), clock.clone());
        let database = Arc::new(Database { clock: clock.clone(), asked_ms: Mutex::default() });
        let ticker = Ticker::new(queue.clone(), database.clone(), options, clock.clone());
        Self { clock, queue, database, ticker, _server: server }
    }

    async fn patient(now_ms: i64) -> Self {
        Self::at(now_ms, TickOptions { patience: Some(PATIENCE), ..TickOptions::default() }).await
    }

    async fn add(&self, priority: u32, delay_ms: u64) {
        let opts = JobOptions { priority, delay_ms, ..JobOptions::default() };
        let job =
            NewJob { name: "job".to_owned(), data: "1".to_owned(), opts, ..Default::default() };
        self.queue.enqueue(&[job]).await.unwrap();
    }

    async fn tick(&self) -> Report {
        let report = self.ticker.tick(Instant::now() + Duration::from_secs(50)).await;
        assert_eq!(report.error, None);
        report
    }

    /// The part of the time from `from_ms` on that the database is awake: 5 minutes after each statement.
    fn awake(&self, from_ms: i64, until_ms: i64) -> f64 {
        let (mut awake, mut until) = (0, from_ms);
        for asked in self.database.asked_ms.lock().unwrap().iter() {
            let end = (asked + 5 * MINUTE).min(until_ms);
            awake += end - until.max(*asked).min(end);
            until = until.max(end);
        }
        awake as f64 / (until_ms - from_ms) as f64
    }
}

/// 3,000 scheduled recomputes over a day, and nothing else: how much of it Postgres is awake.
async fn a_day(patience: Option<Patience>) -> f64 {
    let bench = Bench::at(MIDNIGHT, TickOptions { patience, ..TickOptions::default() }).await;
    let mut added = 0;
    for minute in 0..24 * 60 {
        // Ticks come at some second of the minute, and are up to 9 seconds off.
        let second = 20 + (minute * 7) % 10;
        let now = MIDNIGHT + minute * MINUTE + second * 1_000;
        while added < 3_000 && MIDNIGHT + added * DAY / 3_000 <= now {
            bench.add(PRIORITY, 0).await;
            added += 1;
        }
        bench.clock.advance(now - bench.clock.now_ms());
        bench.tick().await;
    }
    let left = bench.queue.counts().await.unwrap();
    // What came since the last window is taken by the next day's first tick.
    assert!(left.prioritized <= 63, "{left:?}");
    // The last one of the day is asked for after its last tick.
    assert_eq!(left.prioritized + left.completed, 2_999);
    bench.awake(MIDNIGHT, MIDNIGHT + DAY)
}

#[tokio::test]
async fn postgres_sleeps_four_fifths_of_a_day_of_scheduled_recomputes() {
    let (at_once, patient) = tokio::join!(a_day(None), a_day(Some(PATIENCE)));
    println!("awake without patience {at_once:.4}, with it {patient:.4}");
    assert!(at_once > 0.99, "{at_once}");
    assert!(patient <= 0.2, "{patient}");
}

#[tokio::test]
async fn a_tick_that_sees_only_gathering_jobs_ends_after_one_command() {
    let bench = Bench::patient(MIDNIGHT + 10 * MINUTE).await;
    bench.add(PRIORITY, 0).await;
    let report = bench.tick().await;
    assert_eq!(
        (report.stopped_because, report.billed_commands, report.claimed),
        (StoppedBecause::Gathering, 1, 0)
    );
    bench.clock.advance(20 * MINUTE);
    let report = bench.tick().await;
    assert_eq!((report.stopped_because, report.completed), (StoppedBecause::Empty, 1));
    assert_eq!((report.oldest_waiting_ms, report.oldest_gathered_ms), (None, Some(20 * MINUTE)));
}

#[tokio::test]
async fn an_awaited_job_goes_at_once_and_takes_the_gathered_ones_along() {
    let bench = Bench::patient(MIDNIGHT + 10 * MINUTE).await;
    bench.add(PRIORITY, 0).await;
    bench.tick().await;
    bench.clock.advance(MINUTE);
    bench.add(0, 0).await;
    let report = bench.tick().await;
    assert_eq!((report.stopped_because, report.completed), (StoppedBecause::Empty, 2));
    assert_eq!((report.oldest_waiting_ms, report.oldest_gathered_ms), (Some(0), Some(MINUTE)));
    // What comes then gathers again.
    bench.clock.advance(MINUTE);
    bench.add(PRIORITY, 0).await;
    assert_eq!(bench.tick().await.stopped_because, StoppedBecause::Gathering);
}

#[tokio::test]
async fn a_due_job_goes_or_gathers_by_its_priority() {
    let bench = Bench::patient(MIDNIGHT + 10 * MINUTE).await;
    bench.add(PRIORITY, 1_000).await;
    assert_eq!(bench.tick().await.stopped_because, StoppedBecause::Empty);
    bench.clock.advance(MINUTE);
    // It has fallen due, and nobody waits for it.
    let report = bench.tick().await;
    assert_eq!((report.stopped_because, report.claimed), (StoppedBecause::Gathering, 0));
    assert_eq!(report.remaining.map(|left| left.prioritized), Some(1));

    bench.add(0, 1_000).await;
    bench.clock.advance(MINUTE);
    let report = bench.tick().await;
    assert_eq!((report.stopped_because, report.completed), (StoppedBecause::Empty, 2));
}

/// Both fall due in one claim.
#[tokio::test]
async fn a_due_job_without_a_priority_goes_before_one_that_gathers() {
    let bench = Bench::patient(MIDNIGHT + 10 * MINUTE).await;
    bench.add(PRIORITY, 1_000).await;
    bench.add(0, 1_000).await;
    bench.tick().await;
    bench.clock.advance(MINUTE);
    let report = bench.tick().await;
    assert_eq!((report.completed, report.batches), (2, 2), "{report:?}");
}

#[tokio::test]
async fn a_paused_queue_keeps_the_gate_open() {
    let bench = Bench::patient(MIDNIGHT).await;
    bench.add(PRIORITY, 0).await;
    bench.queue.pause().await.unwrap();
    assert_eq!(bench.tick().await.stopped_because, StoppedBecause::Paused);
    bench.clock.advance(5 * MINUTE);
    bench.queue.resume().await.unwrap();
    // The window's first tick could not take it.
    assert_eq!(bench.tick().await.completed, 1);
}

#[tokio::test]
async fn a_tick_that_stops_tells_how_long_each_class_has_waited() {
    let bench = Bench::patient(MIDNIGHT).await;
    bench.add(PRIORITY, 0).await;
    bench.clock.advance(2_000);
    bench.add(0, 0).await;
    bench.queue.pause().await.unwrap();
    bench.clock.advance(3_000);
    let report = bench.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Paused);
    assert_eq!((report.oldest_waiting_ms, report.oldest_gathered_ms), (Some(3_000), Some(5_000)));
}
