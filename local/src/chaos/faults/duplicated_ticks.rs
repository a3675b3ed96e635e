//! Sends a schedule's event more than once.

use std::sync::Arc;

use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Fault, Striking};
use crate::chaos::fleet::{self, Drain};
use crate::chaos::world::World;

/// The fault `duplicated-ticks`.
pub(super) struct DuplicatedTicks;

impl Fault for DuplicatedTicks {
    fn name(&self) -> &'static str {
        "duplicated-ticks"
    }

    fn sentence(&self) -> &'static str {
        "Five drains are started at the same moment, beside those that work."
    }

    fn strike(&self, world: Arc<World>, mut random: StdRng) -> Striking {
        Box::pin(async move {
            let drains: Vec<Drain> = (0..5).map(|_| Drain::default()).collect();
            let ticks = drains.iter().enumerate().map(|(number, drain)| {
                let random = StdRng::seed_from_u64(random.random());
                fleet::once(&world, drain, number, random)
            });
            try_join_all(ticks).await?;
            Ok(())
        })
    }
}
