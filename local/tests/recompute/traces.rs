//! What a tick tells: of each traced job, in whose trace it ran; of itself, that it is alive.

use serde_json::Value;
use shared::queue::NewJob;
use shared::recompute::{StoppedBecause, recompute_job};
use shared::redis::Command;
use shared::trace::TraceContext;

use super::log::Log;
use super::world::{World, data, nowhere};

const HEARTBEAT: &str = "engineo::deo:deo_score_queue:heartbeat";

impl Log {
    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_traced_job_is_told_of_in_its_own_trace() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    let world = World::new().await;
    world.projects(["p1", "p2", "p3"].map(str::to_owned)).await;
    let context = |flags| {
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        TraceContext::new(&parent, None).unwrap()
    };
    let job = |project: &str, telemetry: Option<String>| {
        let job = recompute_job(&data(project), world.queue.config());
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
async fn the_heartbeat_is_a_key_on_ticks_with_work_and_no_command_on_idle_ones() {
    let world = World::new().await;
    let beat = async || {
        let answer = world.queue.redis().call(Command::new("GET").arg(HEARTBEAT)).await.unwrap();
        answer.as_str().map(|ms| ms.parse::<i64>().unwrap())
    };
    let idle = world.tick().await;
    assert_eq!((idle.billed_commands, beat().await), (1, None));
    let ids = world.projects(["p1".to_owned()]).await;
    world.enqueue(&ids).await;
    world.tick().await;
    let at = beat().await.unwrap();
    assert!((shared::clock::Clock::System.now_ms() - at).abs() < 60_000, "{at}");
    let ttl = world.queue.redis().call(Command::new("TTL").arg(HEARTBEAT)).await.unwrap();
    assert!(ttl.as_int().is_some_and(|seconds| (86_000..=86_400).contains(&seconds)), "{ttl:?}");
    // An idle tick beats for no command: its line of metrics does (`Ticks`).
    let idle = world.tick().await;
    assert_eq!((idle.billed_commands, beat().await), (1, Some(at)));
    let line: Value = serde_json::from_str(&drain::metrics(&idle, "engineo", 0)).unwrap();
    assert_eq!((&line["Ticks"], &line["OldestWaitingMs"]), (&1.into(), &0.into()));
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
    let beat = world.queue.redis().call(Command::new("EXISTS").arg(HEARTBEAT)).await.unwrap();
    assert_eq!(beat.as_int(), Some(1));
}

#[tokio::test]
async fn malformed_rows_are_told_by_id_or_by_number() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());

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
    assert_eq!((report.completed, report.malformed_rows), (2, 203), "{report:?}");

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
