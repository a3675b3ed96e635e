//! Pauses the queue.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `pause`.
pub(super) struct Pause;

impl Fault for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn sentence(&self) -> &'static str {
        "The queue is paused in the middle of ticks, and resumed."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let queue = world.queue().await?;
            queue.pause().await?;
            sleep(between(&mut random, 100, 1_000)).await;
            // After a fail-over it is another one.
            world.queue().await?.resume().await?;
            Ok(())
        })
    }
}
