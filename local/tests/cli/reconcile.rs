//! `deo cost --reconcile`: the prediction beside a week of real ticks.

use std::fs;
use std::process::Output;

use fixture::World;
use serde_json::Value;
use shared::clock::Clock;
use shared::engine::Ticker;
use shared::queue::Queue;
use shared::recompute::{JobData, Reason, Recompute, open_store, recompute_job, tick_options};
use shared::redis::Redis;
use shared::store::ProjectId;
use tokio::time::Instant;

use crate::process::{deo, open_folder};

/// Jobs of each night, and jobs of each day that come one by one.
const NIGHT: usize = 143;
const LONE: i64 = 20;

fn reconcile(log: &str, arguments: &[&str]) -> Output {
    let folder = open_folder();
    let file = folder.path().join("log");
    fs::write(&file, log).unwrap();
    let mut cost = deo(folder.path());
    cost.args(["cost", "--reconcile", file.to_str().unwrap()]).args(arguments).output().unwrap()
}

/// The lines that a drain writes in a week in which it ticks each minute.
async fn week() -> String {
    let world = World::builder().own_redis().database("").start().await;
    let projects = world.projects((0..NIGHT).map(|i| format!("p{i:04}"))).await;
    let config = world.config();
    let clock = Clock::manual(Clock::System.now_ms());
    let redis = Redis::new(config.redis.as_ref().unwrap()).unwrap();
    let queue = Queue::new(redis, &config.queue, clock.clone());
    let store = open_store(&config, config.drain.lanes).unwrap();
    let recompute = Recompute::new(store, &config.drain, clock.clone());
    let options = tick_options(&config.drain);
    let ticker = Ticker::new(queue.clone(), recompute, options, clock.clone());
    let mut log = String::new();
    for minute in 0..7 * 1_440 {
        let of_day = minute % 1_440;
        let asked: &[String] = match of_day {
            120 => &projects,
            _ if of_day % (1_440 / LONE) == 30 => &projects[..1],
            _ => &[],
        };
        let job = |project: &String| {
            let data = JobData::new(ProjectId::parse(project.as_str()).unwrap(), Reason::Manual);
            recompute_job(&data, &config.queue)
        };
        let jobs: Vec<_> = asked.iter().map(job).collect();
        if !jobs.is_empty() {
            queue.enqueue(&jobs).await.unwrap();
        }
        let report = ticker.tick(Instant::now() + config.drain.timeout).await;
        assert_eq!((report.completed, &report.error), (asked.len() as u64, &None), "{report:?}");
        log += &(drain::metrics(&report, "engineo", clock.now_ms(), false) + "\n");
        clock.advance(60_000);
    }
    log
}

#[tokio::test]
async fn a_week_of_ticks_costs_what_was_predicted_but_for_five_percent() {
    let log = week().await;
    let output = reconcile(&log, &["--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["jobs"].as_f64(), Some(7.0 * (NIGHT as f64 + LONE as f64)), "{found}");
    assert_eq!(found["busyTicks"].as_f64(), Some(7.0 * 21.0), "{found}");
    assert!(found["deviation"].as_f64().unwrap().abs() <= 0.05, "{found}");
    assert_eq!(output.status.code(), Some(0), "{found}");
    // Ticks that were billed twice as much are told, and so is a log without any.
    let dear = log.replace("\"BilledCommands\":1,", "\"BilledCommands\":2,");
    let output = reconcile(&dear, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("more than 5 %"), "{said}");
    let none = reconcile("{}\n", &[]);
    assert_eq!((none.status.code(), none.stdout.len()), (Some(1), 0));
}
