//! Loses answers of Redis.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `redis-lost-answers`.
pub(super) struct RedisLostAnswers;

impl Fault for RedisLostAnswers {
    fn name(&self) -> &'static str {
        "redis-lost-answers"
    }

    fn sentence(&self) -> &'static str {
        "Answers of Redis are lost with their connections, for the gateway as well."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            for _ in 0..random.random_range(2..6) {
                world.redis.lose(random.random_range(1..=2));
                sleep(between(&mut random, 20, 300)).await;
            }
            world.redis.lose(0);
            Ok(())
        })
    }
}
