//! Makes Postgres read-only.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::postgres_connections::end_all;
use super::{Fault, Striking, between};
use crate::chaos::world::{USER, World};

/// The fault `postgres-read-only`.
pub(super) struct PostgresReadOnly;

impl Fault for PostgresReadOnly {
    fn name(&self) -> &'static str {
        "postgres-read-only"
    }

    fn sentence(&self) -> &'static str {
        "Postgres takes no writes for a while, as a standby does."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let set = format!(
                "ALTER ROLE {USER} SET default_transaction_read_only = on; {}",
                end_all(USER)
            );
            world.owner().await?.batch_execute(&set).await?;
            sleep(between(&mut random, 200, 1500)).await;
            let reset = format!("ALTER ROLE {USER} RESET ALL; {}", end_all(USER));
            world.owner().await?.batch_execute(&reset).await?;
            Ok(())
        })
    }
}
