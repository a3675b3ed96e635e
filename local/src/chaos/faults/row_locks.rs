//! Locks rows as somebody else does.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `row-locks`.
pub(super) struct RowLocks;

impl Fault for RowLocks {
    fn name(&self) -> &'static str {
        "row-locks"
    }

    fn sentence(&self) -> &'static str {
        "Another session has locked a tenth of the projects for up to four seconds."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let owner = world.owner().await?;
            let part: u32 = random.random_range(0..10);
            let lock = format!(
                "BEGIN; SELECT 1 FROM \"Project\" WHERE abs(hashtext(id)) % 10 = {part} FOR UPDATE"
            );
            owner.batch_execute(&lock).await?;
            sleep(between(&mut random, 200, 4_000)).await;
            owner.batch_execute("ROLLBACK").await?;
            Ok(())
        })
    }
}
