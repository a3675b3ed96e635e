//! Puts something else at the queue's keys.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use shared::redis::Command;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::{PREFIX, QUEUE, World};

/// The fault `wrong-keys`.
pub(super) struct WrongKeys;

/// Keys that come and go.
const NAMES: [&str; 10] = [
    "wait",
    "paused",
    "active",
    "prioritized",
    "delayed",
    "stalled",
    "marker",
    "pc",
    "failed",
    "completed",
];

impl Fault for WrongKeys {
    fn name(&self) -> &'static str {
        "wrong-keys"
    }

    fn sentence(&self) -> &'static str {
        "Where the queue has no key at the moment, a text stands there for a while."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let first = random.random_range(0..NAMES.len());
            let mut free = None;
            for name in NAMES.iter().cycle().skip(first).take(NAMES.len()) {
                let key = format!("{PREFIX}:{QUEUE}:{name}");
                let put = Command::new("SET").args([key.as_str(), "something else", "NX"]);
                if !world.redis(put).await?.is_nil() {
                    free = Some(key);
                    break;
                }
            }
            let key = free.ok_or("the queue has all of its keys")?;
            sleep(between(&mut random, 50, 700)).await;
            let text = world.redis(Command::new("GET").arg(key.as_str())).await;
            if text.is_ok_and(|text| text.as_str() == Some("something else")) {
                world.redis(Command::new("DEL").arg(key)).await?;
            }
            Ok(())
        })
    }
}
