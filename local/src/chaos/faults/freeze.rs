//! Stops drains, and lets them go on.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `freeze`.
pub(super) struct Freeze;

impl Fault for Freeze {
    fn name(&self) -> &'static str {
        "freeze"
    }

    fn sentence(&self) -> &'static str {
        "A drain's process stands still, between two invocations or in one, and finds its connections dead or not."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let drain = world.fleet.pick(&mut random).cloned().ok_or("no drain is there")?;
            let is_stopped = drain.stop();
            sleep(between(&mut random, 100, 3_000)).await;
            if random.random_bool(0.5) {
                world.redis.cut();
                world.database.cut();
            }
            drain.go_on();
            is_stopped.then_some(()).ok_or_else(|| "the drain has just ended".into())
        })
    }
}
