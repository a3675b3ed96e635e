//! Cancels statements.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::{USER, World};

/// The fault `postgres-cancel`.
pub(super) struct PostgresCancel;

impl Fault for PostgresCancel {
    fn name(&self) -> &'static str {
        "postgres-cancel"
    }

    fn sentence(&self) -> &'static str {
        "Statements of the functions' role are cancelled, or their connections ended."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let how =
                if random.random_bool(0.5) { "pg_cancel_backend" } else { "pg_terminate_backend" };
            let all = format!(
                "SELECT {how}(pid) FROM pg_stat_activity WHERE usename = '{USER}' AND state = 'active'"
            );
            let owner = world.owner().await?;
            for _ in 0..random.random_range(10..60) {
                owner.batch_execute(&all).await?;
                sleep(between(&mut random, 1, 20)).await;
            }
            Ok(())
        })
    }
}
