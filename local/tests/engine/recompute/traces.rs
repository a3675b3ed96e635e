//! What a tick tells: of each traced job, in whose trace it ran; of itself, that it is alive.

use std::time::Duration;

use fixture::log::Log;
use serde_json::Value;
use shared::clock::Clock;
use shared::engine::{Alive, PastTick, Report, StoppedBecause, alive};
use shared::queue::{NewJob, Queue};
use shared::recompute::{recompute_job, ticker};
use shared::redis::{Command, Redis};
use shared::store::Store;
use shared::trace::TraceContext;
use tokio::time::Instant;

use super::world::{World, config, data, nowhere};

const HEARTBEAT: &str = "engineo:deo_score_queue:batchmq:heartbeat";

#[tokio::test]
async fn a_traced_job_is_told_of_in_its_own_trace() {
    let log = Log::of_this_thread();

    let world = World::new().await;
    world.projects(["p1", "p2", "p3"].map(str::to_owned)).await;
    let context = |flags| {
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        TraceContext::new(&parent, None).unwrap()
    };
    let job = |project: &str, telemetry: Option<String>| {
        let job = recompute_job(&data(project), world.queue.options());
        NewJob { opts: shared::queue::JobOptions { telemetry, ..job.opts }, ..job }
    };
    let jobs = [
        job("p1", Some(context("01").to_metadata())),
        job("gone", Some(context("01").to_metadata())),
        job("p2", Some(context("00").to_metadata())),
        job("p3", Some("not a carrier".to_owned())),
        job("p3", None),
    ];
    let ids: Vec<String> =
        world.queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect();
    let report = world.tick().await;
    assert_eq!((report.completed, report.failed), (3, 1), "{report:?}");
    assert!(report.batch_ms <= report.duration_ms && report.batches == 1, "{report:?}");

    let settled: Vec<(Value, Value, Value)> = log
        .lines()
        .into_iter()
        .filter(|line| line["fields"]["message"] == "job settled")
        .map(|line| {
            let span = &line["span"];
            (span["job"].clone(), span["trace_id"].clone(), line["fields"]["outcome"].clone())
        })
        .collect();
    let expected = [(&ids[0], "Completed"), (&ids[1], "Failed")].map(|(id, outcome)| {
        (id.as_str().into(), "0af7651916cd43dd8448eb211c80319c".into(), outcome.into())
    });
    assert_eq!(settled, expected);
}

#[tokio::test]
async fn the_heartbeat_is_a_report_of_each_tick_with_work() {
    let world = World::new().await;
    let idle = world.tick().await;
    assert_eq!((idle.billed_commands, alive(&world.queue).await.unwrap()), (1, Alive::default()));
    // Each by a drain of its own.
    let ids = world.projects(["p1".to_owned(), "p2".to_owned()]).await;
    let mut spent = Vec::new();
    for wanted in [&ids[..1], &ids[..], &["none".to_owned()]] {
        world.enqueue(wanted).await;
        spent.push(world.tick().await);
    }
    let seen = alive(&world.queue).await.unwrap();
    let ticks: Vec<_> = seen.ticks.iter().map(|t| (t.claimed, t.completed, t.failed)).collect();
    assert_eq!(ticks, [(1, 0, 1), (2, 2, 0), (1, 1, 0)]);
    // The note itself is one command, which it cannot know.
    let told = |tick: &PastTick| (tick.billed_commands + 1, tick.stopped_because);
    let ended = |report: &Report| (report.billed_commands, report.stopped_because);
    assert_eq!((told(&seen.ticks[0]), told(&seen.ticks[1])), (ended(&spent[2]), ended(&spent[1])));
    assert_eq!(seen.last_seen, Some(seen.ticks[0].at));
    let now = Clock::System.now_ms();
    assert!((now - seen.ticks[0].at).abs() < 60_000 && seen.ticks[0].duration_ms < 60_000);
    let ttl = world.call(Command::new("TTL").arg(HEARTBEAT)).await;
    assert!(ttl.as_int().is_some_and(|seconds| (600_000..=604_800).contains(&seconds)), "{ttl:?}");
    let idle = world.tick().await;
    assert_eq!((idle.billed_commands, alive(&world.queue).await.unwrap()), (1, seen));
    let line: Value = serde_json::from_str(&drain::metrics(&idle, "engineo", 0, true)).unwrap();
    assert_eq!((&line["Ticks"], &line["OldestWaitingMs"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn an_idle_drain_is_seen_for_one_command_in_ten_minutes() {
    let world = World::new().await;
    let config = config(&world.env);
    let clock = Clock::manual(1_800_000_000_000);
    let redis = Redis::new(config.redis.as_ref().unwrap()).unwrap();
    let queue = Queue::new(redis, &config.queue, clock.clone());
    let store = Store::new(config.database_url.as_ref().unwrap()).unwrap();
    let drain = ticker(queue, store, &config.drain, clock.clone());
    let mut costs = Vec::new();
    let mut ages = Vec::new();
    for _minute in 0..35 {
        // Clones are one process: Lambda gives each invocation one.
        let report = drain.clone().tick(Instant::now() + Duration::from_secs(50)).await;
        costs.push(report.billed_commands);
        let seen = alive(&world.queue).await.unwrap().last_seen;
        ages.push(seen.map(|at| (clock.now_ms() - at) / 60_000));
        clock.advance(60_000);
    }
    let beats = |costs: &[u64]| costs.iter().map(|cost| cost - 1).sum::<u64>();
    assert!(costs.iter().all(|cost| (1..=2).contains(cost)), "{costs:?}");
    assert!(costs.windows(10).all(|minutes| beats(minutes) <= 1), "{costs:?}");
    assert_eq!((costs[0], beats(&costs)), (1, 3), "{costs:?}");
    assert!(ages[10..].iter().all(|age| age.is_some_and(|age| age < 10)), "{ages:?}");
}

#[tokio::test]
async fn a_tick_that_cannot_work_beats_as_well() {
    let mut world = World::new().await;
    let ids = world.projects(["p1".to_owned()]).await;
    world.enqueue(&ids).await;
    world.set("DATABASE_URL", &nowhere());
    let report = world.tick().await;
    assert_eq!((report.claimed, report.released), (1, 1));
    assert_eq!(report.stopped_because, StoppedBecause::Error);
    let seen = alive(&world.queue).await.unwrap();
    let [tick] = seen.ticks.as_slice() else { panic!("{seen:?}") };
    assert_eq!((tick.claimed, tick.released, tick.stopped_because), (1, 1, StoppedBecause::Error));
    assert_eq!(tick.error, report.error.map(|error| error.chars().take(300).collect()));
    assert!(tick.error.as_ref().is_some_and(|error| !error.is_empty()));
}

#[tokio::test]
async fn malformed_rows_are_told_by_id_or_by_number() {
    let log = Log::of_this_thread();

    let world = World::new().await;
    let projects = world.projects(["few", "many"].map(str::to_owned)).await;
    for (project, rows) in projects.iter().zip([100, 103]) {
        let sql = format!(
            r#"INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues)
               SELECT '{project}-' || lpad(n::text, 3, '0'), '{project}', '/', 200, '7'
               FROM generate_series(1, {rows}) AS n"#
        );
        world.database.batch_execute(&sql).await.unwrap();
    }
    world.enqueue(&projects).await;
    let report = world.tick().await;
    assert_eq!((report.completed, report.counters.get("malformedRows")), (2, 203), "{report:?}");

    let told = |message: &str, field: &str| -> Vec<Value> {
        let lines = log.lines();
        let lines = lines.iter().filter(|line| line["fields"]["message"] == message);
        lines.map(|line| line["fields"][field].clone()).collect()
    };
    let ids =
        ["few", "many"].into_iter().flat_map(|id| (1..=100).map(move |n| format!("{id}-{n:03}")));
    assert_eq!(told("a malformed row", "row"), ids.map(Value::from).collect::<Vec<_>>());
    let left_out = "more malformed rows, their ids left out";
    assert_eq!(told(left_out, "project"), ["many"]);
    assert_eq!(told(left_out, "more"), [3]);
}
