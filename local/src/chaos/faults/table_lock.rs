//! Locks a table as somebody else does.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `table-lock`.
pub(super) struct TableLock;

impl Fault for TableLock {
    fn name(&self) -> &'static str {
        "table-lock"
    }

    fn sentence(&self) -> &'static str {
        "Another session has locked the table of snapshots, as a migration does."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let owner = world.owner().await?;
            owner.batch_execute("BEGIN; LOCK TABLE \"DeoScoreSnapshot\"").await?;
            sleep(between(&mut random, 200, 2_500)).await;
            owner.batch_execute("ROLLBACK").await?;
            Ok(())
        })
    }
}
