//! Keeps Redis from being reached.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `redis-cuts`.
pub(super) struct RedisCuts;

impl Fault for RedisCuts {
    fn name(&self) -> &'static str {
        "redis-cuts"
    }

    fn sentence(&self) -> &'static str {
        "Every connection to Redis is cut, and for a moment none can be opened."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            world.redis.refuse(true);
            world.redis.cut();
            sleep(between(&mut random, 50, 800)).await;
            world.redis.refuse(false);
            Ok(())
        })
    }
}
