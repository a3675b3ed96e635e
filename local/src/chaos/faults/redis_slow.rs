//! Puts Redis far away.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `redis-slow`.
pub(super) struct RedisSlow;

impl Fault for RedisSlow {
    fn name(&self) -> &'static str {
        "redis-slow"
    }

    fn sentence(&self) -> &'static str {
        "Answers of Redis come up to a second late, or for two seconds not at all."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            if random.random_bool(0.3) {
                world.redis.silence(true);
                sleep(between(&mut random, 500, 2_000)).await;
                world.redis.silence(false);
                // Who still waits for what went nowhere would do so until a limit of its own.
                world.redis.cut();
            } else {
                world.redis.delay(between(&mut random, 20, 1_000));
                sleep(between(&mut random, 300, 1_500)).await;
                world.redis.delay(Duration::ZERO);
            }
            Ok(())
        })
    }
}
