//! What a tick costs, by Redis' own count.

use shared::config::Events;
use shared::engine::{Remaining, StoppedBecause};
use shared::queue::{JobOptions, NewJob};
use shared::recompute::recompute_job;

use super::world::{World, data, nowhere};

#[tokio::test]
async fn an_empty_tick_costs_one_command_and_leaves_postgres_asleep() {
    let mut world = World::new().await;
    world.set("DATABASE_URL", &nowhere());
    let before = world.executed().await;
    let report = world.tick().await;
    assert_eq!(world.executed().await - before, 1 + 1, "the tick's, and INFO");
    assert_eq!((report.billed_commands, report.round_trips), (1, 1));
    assert_eq!(report.stopped_because, StoppedBecause::Empty);
    assert_eq!(report.remaining, Some(Remaining::NONE));
}

#[tokio::test]
async fn a_disabled_tick_costs_nothing() {
    let mut world = World::new().await;
    world.numbered(1).await;
    world.enqueue(&["p0000".to_owned()]).await;
    world.set("ENABLE_QUEUE_PROCESSORS", "false");
    let before = world.executed().await;
    let report = world.tick().await;
    assert_eq!(world.executed().await - before, 1, "INFO alone");
    assert_eq!(report.stopped_because, StoppedBecause::Disabled);
    assert_eq!(report.billed_commands, 0);
}

#[tokio::test]
async fn future_delayed_jobs_cost_one_command_more_than_none() {
    let mut world = World::new().await;
    world.set("DATABASE_URL", &nowhere());
    let opts = JobOptions { delay_ms: 600_000, ..JobOptions::default() };
    let job = NewJob { opts, ..recompute_job(&data("p"), world.queue.options()) };
    world.queue.enqueue(&[job]).await.unwrap();
    let before = world.executed().await;
    let report = world.tick().await;
    assert_eq!((world.executed().await - before - 1, report.billed_commands), (2, 2));
    let mut remaining = Remaining::NONE;
    remaining.delayed = None;
    assert_eq!(report.remaining, Some(remaining));
    assert_eq!(report.stopped_because, StoppedBecause::Empty);
}

/// Billed commands a job for `n` jobs, from enqueue to completed, everything counted.
async fn cost(world: &World, projects: &[String]) -> f64 {
    let before = world.executed().await;
    world.enqueue(projects).await;
    let report = world.tick().await;
    let spent = world.executed().await - before - 1; // INFO itself
    assert_eq!(report.completed as usize, projects.len());
    spent as f64 / projects.len() as f64
}

#[tokio::test]
async fn commands_stay_within_the_budget() {
    for (events, most) in [(Events::Off, 6.5), (Events::All, 11.0)] {
        let mut world = World::new().await;
        if events == Events::All {
            world.set("ENABLE_QUEUE_EVENTS", "true");
        }
        let projects = world.numbered(1_000).await;
        cost(&world, &projects).await;
        let each = cost(&world, &projects).await;
        println!("events {events:?}: {each:.2} billed commands a job");
        assert!(each <= most, "{each} > {most}");
        assert_eq!(world.counts().await.completed, 1_000);
        let lone = cost(&world, &projects[..1]).await;
        println!("events {events:?}: {lone} billed commands for a lone job");
        // Three of them for a job that has to go, since as many are kept as may be.
        assert!(events == Events::All || lone <= 31.0, "{lone} > 31");
    }
}

#[tokio::test]
async fn the_report_counts_what_redis_counts() {
    let world = World::new().await;
    let projects = world.numbered(250).await;
    world.enqueue(&projects).await;
    world.tick().await;
    world.enqueue(&projects).await;
    let before = world.executed().await;
    let report = world.tick().await;
    assert_eq!(world.executed().await - before - 1, report.billed_commands);
    assert_eq!(report.batches, 3);
    // Peek, a claim and a settlement for each of three lanes, peek, heartbeat.
    assert_eq!(report.round_trips, 9);
}
