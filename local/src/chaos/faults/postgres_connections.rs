//! Lets Postgres allow few connections.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::{USER, World};

/// The fault `postgres-connections`.
pub(super) struct PostgresConnections;

/// Ends every connection of a role.
pub(super) fn end_all(role: &str) -> String {
    format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")
}

impl Fault for PostgresConnections {
    fn name(&self) -> &'static str {
        "postgres-connections"
    }

    fn sentence(&self) -> &'static str {
        "The functions' role may have one connection, and those that are open end."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let owner = world.owner().await?;
            owner
                .batch_execute(&format!("ALTER ROLE {USER} CONNECTION LIMIT 1; {}", end_all(USER)))
                .await?;
            sleep(between(&mut random, 200, 1_500)).await;
            world
                .owner()
                .await?
                .batch_execute(&format!("ALTER ROLE {USER} CONNECTION LIMIT -1"))
                .await?;
            Ok(())
        })
    }
}
