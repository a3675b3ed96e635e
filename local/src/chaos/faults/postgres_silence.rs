//! Keeps Postgres from answering.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `postgres-silence`.
pub(super) struct PostgresSilence;

impl Fault for PostgresSilence {
    fn name(&self) -> &'static str {
        "postgres-silence"
    }

    fn sentence(&self) -> &'static str {
        "Postgres is silent for up to three seconds, or slow, or cannot be reached."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            match random.random_range(0..3) {
                0 => {
                    world.database.silence(true);
                    sleep(between(&mut random, 500, 3_000)).await;
                    world.database.silence(false);
                    // Who still waits for what went nowhere would do so until a limit of its own.
                    world.database.cut();
                }
                1 => {
                    world.database.delay(between(&mut random, 50, 1_000));
                    sleep(between(&mut random, 300, 1_500)).await;
                    world.database.delay(Duration::ZERO);
                }
                _ => {
                    world.database.refuse(true);
                    world.database.cut();
                    sleep(between(&mut random, 100, 1_000)).await;
                    world.database.refuse(false);
                }
            }
            Ok(())
        })
    }
}
