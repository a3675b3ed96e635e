//! Gives statements no time.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::postgres_connections::end_all;
use super::{Fault, Striking, between};
use crate::chaos::world::{USER, World};

/// The fault `postgres-timeout`.
pub(super) struct PostgresTimeout;

impl Fault for PostgresTimeout {
    fn name(&self) -> &'static str {
        "postgres-timeout"
    }

    fn sentence(&self) -> &'static str {
        "The functions' role has a `statement_timeout` of some milliseconds."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let set = format!("ALTER ROLE {USER} SET statement_timeout = '5ms'; {}", end_all(USER));
            world.owner().await?.batch_execute(&set).await?;
            sleep(between(&mut random, 200, 1500)).await;
            let reset = format!("ALTER ROLE {USER} RESET ALL; {}", end_all(USER));
            world.owner().await?.batch_execute(&reset).await?;
            Ok(())
        })
    }
}
