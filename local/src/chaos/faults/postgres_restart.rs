//! Crashes Postgres.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `postgres-restart`.
pub(super) struct PostgresRestart;

impl Fault for PostgresRestart {
    fn name(&self) -> &'static str {
        "postgres-restart"
    }

    fn sentence(&self) -> &'static str {
        "Postgres goes down in the midst of transactions, and comes back."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let mut postgres = world.postgres.lock().await;
            postgres.kill();
            sleep(between(&mut random, 0, 700)).await;
            postgres.restart().await?;
            Ok(())
        })
    }
}
