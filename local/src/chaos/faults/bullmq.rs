//! Puts BullMQ's own workers and producers on the queue.

use std::sync::Arc;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::{Fault, Striking, between};
use crate::chaos::peers::Peer;
use crate::chaos::world::World;

/// A version of BullMQ.
pub(super) struct Bullmq(pub(super) Peer);

impl Fault for Bullmq {
    fn name(&self) -> &'static str {
        match self.0 {
            Peer::Platform => "bullmq-5.65.1",
            Peer::Five => "bullmq-5",
            Peer::Six => "bullmq-6",
            Peer::Python => "bullmq-python",
        }
    }

    fn sentence(&self) -> &'static str {
        match self.0 {
            Peer::Platform => {
                "A BullMQ 5.65.1 worker and producer is on the queue, and is asked to end or killed."
            }
            Peer::Five => "The same with the newest BullMQ 5.",
            Peer::Six => "The same with the newest BullMQ 6.",
            Peer::Python => "The same with BullMQ for Python.",
        }
    }

    fn is_missing(&self) -> Option<String> {
        self.0.is_missing()
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        let peer = self.0;
        Box::pin(async move {
            let name = format!("peer{}", random.random::<u32>());
            let time = between(&mut random, 300, 2_000);
            let is_killed = random.random_bool(0.5);
            peer.start(&world, &name)?.for_a_while(&world, time, is_killed).await
        })
    }
}
