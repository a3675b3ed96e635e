//! Lets Redis forget the scripts.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use shared::redis::Command;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `script-flush`.
pub(super) struct ScriptFlush;

impl Fault for ScriptFlush {
    fn name(&self) -> &'static str {
        "script-flush"
    }

    fn sentence(&self) -> &'static str {
        "Redis forgets every script, now and then."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            for _ in 0..random.random_range(1..5) {
                world.redis(Command::new("SCRIPT").arg("FLUSH")).await?;
                sleep(between(&mut random, 10, 200)).await;
            }
            Ok(())
        })
    }
}
