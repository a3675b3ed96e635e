//! Makes the REST API slow.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `rest-slow`.
pub(super) struct RestSlow;

/// What happens to requests, and how often.
const FAULTS: &str = "latency=100ms:0.5,stall=3s:0.05";

impl Fault for RestSlow {
    fn name(&self) -> &'static str {
        "rest-slow"
    }

    fn sentence(&self) -> &'static str {
        "Over REST, some answers come seconds late."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let seed = random.random();
            world.gateway_faults(FAULTS, seed).await?;
            sleep(between(&mut random, 500, 1500)).await;
            world.gateway_faults("", seed).await
        })
    }
}
