//! Brings a run to rest after the faults: makes all well, works off what waits, and gives back what dead owners
//! held by two recovery passes.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::clock::Clock;
use shared::config::Config;
use shared::drops::Delivery;
use shared::queue::{Counts, Queue};
use shared::recompute::open_store;
use shared::redis::Command;
use tokio::time::Instant;

use super::fleet::{note_reports, program};
use super::world::{PREFIX, QUEUE, World};
use crate::Failure;
use crate::runtime_api::{Attempt, Function, INVOCATION};

/// What a schedule sends.
const SCHEDULE: &str = include_str!("../../events/schedule.json");

/// How long working off may take, many times what it needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Recovery passes: the first one notes what is active, the second one gives back what is still.
const PASSES: usize = 2;

/// Lets the run come to rest. Jobs that still wait after two minutes of drains without faults are left to the
/// verdict, which names them.
///
/// # Errors
/// When a server does not answer, or the last ticks fail where nothing is wrong any more.
pub(super) async fn rest(world: &World) -> Result<(), Failure> {
    world.heal().await?;
    let queue = world.queue().await?;
    queue.resume().await?;
    let settings = world.settings(false);
    let mut drain = Function::start("drain", program()?, &[""; 0], &settings).await?;
    let patience = Instant::now() + PATIENCE;
    work_off(&mut drain, &queue, patience).await?;
    for _ in 0..PASSES {
        age(&queue).await?;
        tick(&mut drain, patience).await?;
    }
    work_off(&mut drain, &queue, patience).await?;
    note_reports(world, &drain.log());
    drain.stop().await;
    deliver(world, patience).await
}

/// Sends the events of drops that are left, as the next night would. When they are due does not matter here.
async fn deliver(world: &World, patience: Instant) -> Result<(), Failure> {
    let settings: BTreeMap<String, String> = world.settings(false).into_iter().collect();
    let config = Config::from_env(&settings)?;
    let store = open_store(&config, 1)?;
    let delivery =
        Delivery::new(&config.drops, store, Clock::System)?.ok_or("no drops are told")?;
    let owner = world.owner().await?;
    loop {
        owner
            .batch_execute("UPDATE deo.score_drop SET due_at = created_at WHERE ended_at IS NULL")
            .await?;
        let open = "SELECT count(*) FROM deo.score_drop WHERE ended_at IS NULL";
        let open: i64 = owner.query_one(open, &[]).await?.try_get(0)?;
        if open == 0 {
            return Ok(());
        }
        if Instant::now() > patience {
            return Err(
                format!("{open} drops are not taken where nothing is wrong any more").into()
            );
        }
        delivery.deliver(patience).await;
    }
}

/// Drains until nothing waits. What was put off is due now: waiting for it would prove nothing more.
async fn work_off(drain: &mut Function, queue: &Queue, patience: Instant) -> Result<(), Failure> {
    loop {
        queue.promote_all().await?;
        tick(drain, patience).await?;
        if waiting(&queue.counts().await?) == 0 || Instant::now() > patience {
            return Ok(());
        }
    }
}

/// One tick that works. A pooler may need a moment until it has got rid of what the faults have left to it.
async fn tick(drain: &mut Function, patience: Instant) -> Result<(), Failure> {
    loop {
        match drain.attempt(SCHEDULE, INVOCATION).await {
            Attempt::Answered { failed: false, .. } => return Ok(()),
            Attempt::Answered { answer, .. } if Instant::now() > patience => {
                return Err(format!("ticks fail where nothing is wrong any more: {answer}").into());
            }
            Attempt::Answered { .. } => {}
            other => return Err(format!("a drain without faults: {other:?}").into()),
        }
    }
}

fn waiting(counts: &Counts) -> u64 {
    counts.wait + counts.paused + counts.prioritized + counts.delayed
}

/// Lets time pass for locks: nobody is at work, so what is locked has an owner that died. The next recovery
/// pass may be made at once.
async fn age(queue: &Queue) -> Result<(), Failure> {
    let key = |name: &str| format!("{PREFIX}:{QUEUE}:{name}");
    let active = Command::new("LRANGE").arg(key("active")).args(["0", "-1"]);
    let active = queue.redis().call(active).await?;
    for id in active.as_array().unwrap_or_default() {
        let id = String::from_utf8_lossy(id.as_bytes().unwrap_or_default()).into_owned();
        queue.redis().call(Command::new("DEL").arg(key(&format!("{id}:lock")))).await?;
    }
    queue.redis().call(Command::new("DEL").arg(key("stalled-check"))).await?;
    Ok(())
}
