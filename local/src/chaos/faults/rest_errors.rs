//! Lets the REST API answer with errors.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `rest-errors`.
pub(super) struct RestErrors;

/// What happens to requests, and how often.
const FAULTS: &str = "429=0.1,500=0.08,503=0.07,502html=0.08";

impl Fault for RestErrors {
    fn name(&self) -> &'static str {
        "rest-errors"
    }

    fn sentence(&self) -> &'static str {
        "Over REST, a third of the requests gets 429, 500, 503 or 502 with an HTML page."
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
