//! Lets the replica take over.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use shared::redis::Command;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::{Nodes, Setup, World, admin, follow, info_says};

/// The fault `redis-failover`.
pub(super) struct RedisFailover;

impl Fault for RedisFailover {
    fn name(&self) -> &'static str {
        "redis-failover"
    }

    fn sentence(&self) -> &'static str {
        "The replica takes over behind the same address, which leads to the demoted node a while longer."
    }

    fn prepare(&self, setup: &mut Setup) {
        setup.has_replica = true;
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let mut nodes = world.nodes().await;
            let Nodes { primary, replica } = &mut *nodes;
            let Some(replica) = replica else { return Err("there is no replica".into()) };
            follow(replica, primary).await?;
            let port = replica.port().to_string();
            let failover = Command::new("FAILOVER").args(["TO", "127.0.0.1", &port]);
            admin(primary)?.call(failover).await?;
            info_says(replica, "role:master").await?;
            std::mem::swap(primary, replica);
            sleep(between(&mut random, 0, 500)).await;
            world.redis.lead_to(primary.port());
            // Some balancers leave connections to the demoted node open.
            if random.random_bool(0.5) {
                world.redis.cut();
            }
            Ok(())
        })
    }
}
