//! What a tick does under a rate limit.

use std::time::Duration;

use shared::engine::{StoppedBecause, Stopper};
use shared::queue::ClaimRequest;
use shared::redis::Command;
use tokio::time::Instant;

use super::world::{World, config, recompute};

/// A world with so many jobs, of which 5 may start in each span of so many milliseconds.
async fn limited(jobs: usize, span_ms: &str) -> World {
    let mut world = World::new().await;
    world.set("QUEUE_LIMITER_MAX", "5");
    world.set("QUEUE_LIMITER_DURATION_MS", span_ms);
    let projects = world.numbered(jobs).await;
    world.enqueue(&projects).await;
    world
}

#[tokio::test]
async fn one_tick_works_through_several_spans_of_a_limit() {
    let world = limited(20, "200").await;
    let report = world.tick().await;
    assert_eq!((report.completed, report.stopped_because), (20, StoppedBecause::Empty));
    assert_eq!((report.limited_ms, report.remaining.unwrap().prioritized), (None, 0));
    assert!(report.duration_ms >= 600, "the limit was not kept: {report:?}");
}

/// Each is claimed, settled, looked behind, claimed in vain and waited for in one sleep: whatever the
/// length of a span.
#[tokio::test]
async fn a_span_of_a_limit_costs_so_many_commands() {
    let mut spent = Vec::new();
    for jobs in [10, 30] {
        let world = limited(jobs, "500").await;
        let report = world.tick().await;
        assert_eq!(
            (report.completed, report.stopped_because),
            (jobs as u64, StoppedBecause::Empty)
        );
        spent.push(report.billed_commands);
    }
    let span = (spent[1] - spent[0]) / 4;
    println!("{span} billed commands a span, for 5 jobs; {spent:?}");
    // 5 of them are what it takes to see that the limit is reached, and that jobs wait.
    assert!(span <= 47, "{spent:?}");
}

#[tokio::test]
async fn a_limit_that_outlasts_the_tick_ends_it() {
    let world = limited(10, "3600000").await;
    let begun = Instant::now();
    let report = world.tick().await;
    assert_eq!((report.completed, report.stopped_because), (5, StoppedBecause::Limited));
    assert!(report.limited_ms > Some(60_000), "{report:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{report:?}");
}

#[tokio::test]
async fn a_limit_is_not_waited_for_where_nothing_waits_behind_it() {
    let mut world = limited(5, "30000").await;
    // A full batch, behind which the tick claims without having looked.
    world.set("QUEUE_BATCH_SIZE", "5");
    let report = world.tick().await;
    assert_eq!((report.completed, report.stopped_because), (5, StoppedBecause::Empty));
    assert!(report.limited_ms.is_none() && report.duration_ms < 20_000, "{report:?}");
}

/// The claim that was held back made it wait: the tick had seen nothing that does.
#[tokio::test]
async fn a_job_that_fell_due_is_waited_for() {
    let world = limited(6, "1500").await;
    let last = "engineo:deo_score_queue:6";
    assert_eq!(world.queue.claim(ClaimRequest::everywhere(5)).await.unwrap().jobs.len(), 5);
    for command in [
        Command::new("ZREM").arg("engineo:deo_score_queue:prioritized").arg("6"),
        Command::new("ZADD").arg("engineo:deo_score_queue:delayed").arg("4096").arg("6"),
        Command::new("HSET").arg(last).arg("delay").arg("1"),
    ] {
        world.call(command).await;
    }
    let report = world.tick().await;
    assert_eq!(
        (report.completed, report.stopped_because),
        (1, StoppedBecause::Empty),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_limit() {
    let world = limited(10, "40000").await;
    let (stopper, stop) = Stopper::new();
    let recompute = recompute(&config(&world.env));
    let begun = Instant::now();
    let tick = recompute.tick_until(begun + Duration::from_secs(50), &stop);
    let asked = async {
        // Only who is held back asks for how long.
        let limited = |stats: &str| stats.contains("cmdstat_pttl");
        let info = || world.queue.redis().call(Command::new("INFO").arg("commandstats"));
        while !limited(info().await.unwrap().as_str().unwrap()) {}
        stopper.stop();
    };
    let (report, ()) = tokio::join!(tick, asked);
    assert_eq!((report.completed, report.stopped_because), (5, StoppedBecause::Deadline));
    assert_eq!((report.limited_ms, report.remaining.unwrap().prioritized), (None, 5));
    assert!(begun.elapsed() < Duration::from_secs(30), "{report:?}");
}
