//! Fills Redis.

use std::sync::Arc;

use rand::rngs::StdRng;
use shared::redis::Command;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `redis-memory`.
pub(super) struct RedisMemory;

impl Fault for RedisMemory {
    fn name(&self) -> &'static str {
        "redis-memory"
    }

    fn sentence(&self) -> &'static str {
        "Redis has reached its `maxmemory` and refuses writes, with `noeviction`."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            world.redis(Command::new("CONFIG").args(["SET", "maxmemory", "1"])).await?;
            sleep(between(&mut random, 100, 1_000)).await;
            world.redis(Command::new("CONFIG").args(["SET", "maxmemory", "0"])).await?;
            Ok(())
        })
    }
}
