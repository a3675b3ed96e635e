//! Kills drains.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `kill`.
pub(super) struct Kill;

impl Fault for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn sentence(&self) -> &'static str {
        "A drain is killed in an invocation, as when its memory is used up."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let mut is_any = false;
            for _ in 0..random.random_range(1..4) {
                is_any |= world.fleet.pick(&mut random).is_some_and(|drain| drain.kill());
                sleep(between(&mut random, 20, 400)).await;
            }
            is_any.then_some(()).ok_or_else(|| "no drain was there to be killed".into())
        })
    }
}
