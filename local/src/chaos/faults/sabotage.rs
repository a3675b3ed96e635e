//! What breaks an invariant itself, so that it is seen that the machine sees it. It is not one of `all`.

use std::sync::Arc;

use rand::rngs::StdRng;
use shared::redis::Command;

use super::{Fault, Striking};
use crate::chaos::world::{PREFIX, QUEUE, World};

/// See its sentence.
pub(super) struct Sabotage;

impl Fault for Sabotage {
    fn name(&self) -> &'static str {
        "sabotage"
    }

    fn sentence(&self) -> &'static str {
        "A job is taken out of the queue: the run has to fail, and `all` does without."
    }

    fn strike(&self, world: Arc<World>, _random: StdRng) -> Striking {
        Box::pin(async move {
            for name in ["completed", "failed", "prioritized"] {
                let key = format!("{PREFIX}:{QUEUE}:{name}");
                world.redis(Command::new("ZPOPMIN").arg(key)).await?;
            }
            Ok(())
        })
    }
}
