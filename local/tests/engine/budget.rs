//! A month's budget of commands: what is counted, and what a tick does once it is nearly spent.

use std::time::Duration;

use servers::RedisServer;
use shared::clock::Clock;
use shared::engine::{Budget, Report, StoppedBecause, TickOptions, Ticker};
use shared::queue::{JobOptions, NewJob, Queue, QueueOptions};
use shared::redis::{Command, Endpoint, Redis, Secret};
use tokio::time::Instant;

use super::Obedient;

const MINUTE: i64 = 60_000;
/// A day of November 2026, half an hour's window and ten minutes more.
const NOW: i64 = 1_795_690_800_000 + 10 * MINUTE;

struct Bench {
    clock: Clock,
    queue: Queue,
    options: TickOptions,
    // Stops when it is dropped.
    _server: RedisServer,
}

impl Bench {
    async fn with(commands: Option<u64>) -> Self {
        let server = RedisServer::start().await.unwrap();
        let url = Secret::new(server.url());
        let redis = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
        let clock = Clock::manual(NOW);
        let queue = Queue::new(redis, &QueueOptions::new("thrifty"), clock.clone());
        let every = Duration::from_secs(60);
        let budget = commands.map(|commands| Budget { commands, share: 0.8, every });
        let options = TickOptions { budget, ..TickOptions::default() };
        Self { clock, queue, options, _server: server }
    }

    fn ticker(&self) -> Ticker {
        let options = self.options.clone();
        Ticker::new(self.queue.clone(), Obedient::default(), options, self.clock.clone())
    }

    async fn add(&self, priority: u32) {
        let opts = JobOptions { priority, ..JobOptions::default() };
        let job =
            NewJob { name: "job".to_owned(), data: "1".to_owned(), opts, ..Default::default() };
        self.queue.enqueue(&[job]).await.unwrap();
    }

    async fn spent(&self) -> Option<u64> {
        self.queue.spent().await.unwrap()
    }

    /// Seconds that a key lives.
    async fn ttl(&self, key: &str) -> i64 {
        let command = Command::new("TTL").arg(key.to_owned());
        self.queue.redis().call(command).await.unwrap().as_int().unwrap()
    }
}

async fn tick(ticker: &Ticker) -> Report {
    let report = ticker.tick(Instant::now() + Duration::from_secs(50)).await;
    assert_eq!(report.error, None);
    report
}

#[tokio::test]
async fn what_ticks_take_is_counted_to_the_command() {
    let bench = Bench::with(Some(1_000_000)).await;
    let ticker = bench.ticker();
    let mut billed = 0;
    // Idle ones are counted with the next sign of life or the next tick that works.
    for jobs in [0, 1, 0, 0, 3] {
        for _ in 0..jobs {
            bench.add(0).await;
        }
        let report = tick(&ticker).await;
        billed += report.billed_commands;
        bench.clock.advance(MINUTE);
        if jobs > 0 {
            // Setting the key's time to live takes one that is not counted.
            assert_eq!(bench.spent().await, Some(billed - 1));
        }
    }
    for _ in 0..10 {
        billed += tick(&ticker).await.billed_commands;
        bench.clock.advance(MINUTE);
    }
    assert!(bench.spent().await.unwrap() + 10 > billed, "{billed}");
    let key = "bull:thrifty:batchmq:spent-2026-11";
    let left_s = bench.ttl(key).await;
    assert!((60 * 86_400..=62 * 86_400).contains(&left_s), "{left_s}");
}

#[tokio::test]
async fn counting_costs_a_working_tick_one_command_and_nothing_without_a_budget() {
    let mut costs = Vec::new();
    for budget in [None, Some(1_000_000)] {
        let bench = Bench::with(budget).await;
        let ticker = bench.ticker();
        bench.add(0).await;
        tick(&ticker).await;
        let idle = tick(&ticker).await.billed_commands;
        bench.add(0).await;
        let working = tick(&ticker).await.billed_commands;
        costs.push((idle, working));
        assert_eq!(bench.spent().await.is_some(), budget.is_some());
    }
    assert_eq!(costs[1].0, costs[0].0);
    assert_eq!(costs[1].1, costs[0].1 + 1);
}

#[tokio::test]
async fn past_its_share_only_awaited_jobs_go_at_once() {
    let bench = Bench::with(Some(1_000)).await;
    bench.queue.spend(700).await.unwrap();
    bench.add(10).await;
    let ticker = bench.ticker();
    let report = tick(&ticker).await;
    assert_eq!((report.completed, report.is_thrifty), (1, false));

    bench.queue.spend(100).await.unwrap();
    bench.add(10).await;
    // Another process, which asks first.
    let ticker = bench.ticker();
    let report = tick(&ticker).await;
    assert_eq!(
        (report.stopped_because, report.is_thrifty, report.billed_commands),
        (StoppedBecause::Gathering, true, 2)
    );
    bench.clock.advance(MINUTE);
    let report = tick(&ticker).await;
    assert_eq!((report.stopped_because, report.billed_commands), (StoppedBecause::Gathering, 1));
    bench.clock.advance(20 * MINUTE);
    assert_eq!(tick(&ticker).await.completed, 1, "a window has begun");
    bench.add(0).await;
    assert_eq!(tick(&ticker).await.completed, 1, "somebody waits for it");
}

#[tokio::test]
async fn each_month_has_its_own_count() {
    let bench = Bench::with(Some(1_000)).await;
    assert_eq!(bench.queue.spend(900).await.unwrap(), 901);
    bench.clock.advance(10 * 86_400_000);
    assert_eq!(bench.spent().await, None);
    assert_eq!(bench.queue.spend(1).await.unwrap(), 2);
}
