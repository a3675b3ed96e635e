//! Crashes Redis.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `redis-restart`.
pub(super) struct RedisRestart;

impl Fault for RedisRestart {
    fn name(&self) -> &'static str {
        "redis-restart"
    }

    fn sentence(&self) -> &'static str {
        "Redis is killed and comes back from its append-only file, without scripts and connections."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let mut nodes = world.nodes().await;
            nodes.primary.kill();
            sleep(between(&mut random, 0, 500)).await;
            nodes.primary.restart().await?;
            Ok(())
        })
    }
}
