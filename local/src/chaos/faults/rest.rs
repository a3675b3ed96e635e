//! Lets the REST gateway fail: with errors, with lost answers, with slow ones.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::{Fault, Striking, between};
use crate::chaos::world::World;

/// A fault of the gateway's.
pub(super) struct Rest {
    name: &'static str,
    sentence: &'static str,
    /// What happens to requests, and how often.
    faults: &'static str,
}

pub(super) const ERRORS: Rest = Rest {
    name: "rest-errors",
    sentence: "Over REST, a third of the requests gets 429, 500, 503 or 502 with an HTML page.",
    faults: "429=0.1,500=0.08,503=0.07,502html=0.08",
};

pub(super) const ANSWERS: Rest = Rest {
    name: "rest-answers",
    sentence: "Over REST, connections are reset before or after a request is executed, and answers end half-way.",
    faults: "reset-before=0.1,reset-after=0.1,truncate=0.1",
};

pub(super) const SLOW: Rest = Rest {
    name: "rest-slow",
    sentence: "Over REST, some answers come seconds late.",
    faults: "latency=100ms:0.5,stall=3s:0.05",
};

impl Fault for Rest {
    fn name(&self) -> &'static str {
        self.name
    }

    fn sentence(&self) -> &'static str {
        self.sentence
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        let faults = self.faults;
        Box::pin(async move {
            let seed = random.random();
            world.gateway_faults(faults, seed).await?;
            sleep(between(&mut random, 500, 1500)).await;
            world.gateway_faults("", seed).await
        })
    }
}
