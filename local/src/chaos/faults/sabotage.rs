//! Breaks an invariant itself, so that it is seen that the machine sees it. It is not one of `all`.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use shared::redis::Command;
use tokio::time::sleep;

use super::{Fault, Striking};
use crate::chaos::world::{PREFIX, QUEUE, World};

/// The fault `sabotage`.
pub(super) struct Sabotage;

impl Fault for Sabotage {
    fn name(&self) -> &'static str {
        "sabotage"
    }

    fn sentence(&self) -> &'static str {
        "A job is taken out of the queue before it ends: the run has to fail, and `all` does without."
    }

    fn strike(&self, world: Arc<World>, _random: StdRng) -> Striking {
        Box::pin(async move {
            let key = |name: &str| format!("{PREFIX}:{QUEUE}:{name}");
            // Jobs wait for moments only: one that has ended stands for one that has not.
            for _ in 0..100 {
                let gone = world.redis(Command::new("ZPOPMIN").arg(key("completed"))).await?;
                if let Some([id, _]) = gone.as_array() {
                    let id =
                        String::from_utf8_lossy(id.as_bytes().unwrap_or_default()).into_owned();
                    let end = [key(&id), "finishedOn".to_owned()];
                    world.redis(Command::new("HDEL").args(end)).await?;
                    return Ok(());
                }
                sleep(Duration::from_millis(100)).await;
            }
            Err("no job completes".into())
        })
    }
}
