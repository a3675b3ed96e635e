//! Loses the REST API's answers.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// The fault `rest-answers`.
pub(super) struct RestAnswers;

/// What happens to requests, and how often.
const FAULTS: &str = "reset-before=0.1,reset-after=0.1,truncate=0.1";

impl Fault for RestAnswers {
    fn name(&self) -> &'static str {
        "rest-answers"
    }

    fn sentence(&self) -> &'static str {
        "Over REST, connections are reset before or after a request is executed, and answers end half-way."
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
