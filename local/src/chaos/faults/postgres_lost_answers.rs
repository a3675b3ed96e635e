//! Loses answers of Postgres.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `postgres-lost-answers`.
pub(super) struct PostgresLostAnswers;

impl Fault for PostgresLostAnswers {
    fn name(&self) -> &'static str {
        "postgres-lost-answers"
    }

    fn sentence(&self) -> &'static str {
        "Connections to Postgres are cut after a statement went out and before its answer."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            for _ in 0..random.random_range(2..6) {
                world.database.lose(random.random_range(1..=3));
                sleep(between(&mut random, 20, 300)).await;
            }
            world.database.lose(0);
            Ok(())
        })
    }
}
