//! Writes a version into the queue's settings that nobody knows.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use shared::redis::Command;

use super::{Fault, Striking};
use crate::chaos::world::{PREFIX, QUEUE, World};

/// The fault `foreign-version`.
pub(super) struct ForeignVersion;

impl Fault for ForeignVersion {
    fn name(&self) -> &'static str {
        "foreign-version"
    }

    fn sentence(&self) -> &'static str {
        "The queue's settings say a version that nobody knows, or none."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let meta = format!("{PREFIX}:{QUEUE}:meta");
            if random.random_bool(0.5) {
                world
                    .redis(Command::new("HSET").args([
                        meta.as_str(),
                        "version",
                        "elsewhere:99.0.0-x",
                    ]))
                    .await?;
            } else {
                world.redis(Command::new("DEL").arg(meta)).await?;
            }
            Ok(())
        })
    }
}
