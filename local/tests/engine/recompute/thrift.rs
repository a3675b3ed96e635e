//! The nightly recompute keeps to the month's budget.

use std::time::Duration;

use cron::{Cron, StoppedBecause};
use tokio::time::Instant;

use super::world::*;

async fn night(world: &World) -> cron::Report {
    let cron = Cron::new(&config(&world.env)).unwrap();
    cron.tick(Instant::now() + Duration::from_secs(60)).await
}

#[tokio::test]
async fn a_night_past_the_budget_adds_nothing_and_says_why() {
    let mut world = World::new().await;
    world.set("COMMAND_BUDGET", "1000");
    world.numbered(3).await;
    world.queue.spend(800).await.unwrap();
    let report = night(&world).await;
    assert_eq!(report.stopped_because, StoppedBecause::Budget);
    assert_eq!((report.enqueued, report.spent_commands, report.error), (0, Some(801), None));
    assert_eq!(world.counts().await.prioritized, 0);
    let json = serde_json::to_value(night(&world).await).unwrap();
    assert_eq!(json["stoppedBecause"], "budget");
}

#[tokio::test]
async fn what_a_night_takes_is_counted() {
    let mut world = World::new().await;
    world.set("COMMAND_BUDGET", "1000");
    world.numbered(3).await;
    let report = night(&world).await;
    assert_eq!((report.enqueued, report.stopped_because), (3, StoppedBecause::Done));
    // The key's time to live takes one that is not counted.
    assert_eq!(world.queue.spent().await.unwrap(), Some(report.billed_commands - 1));
    assert_eq!(report.spent_commands, None);
}
