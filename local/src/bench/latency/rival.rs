//! BullMQ in a process of its own: a producer and a worker that waits.

use std::path::Path;
use std::time::Instant;

use super::figures::Sample;
use super::world::World;
use crate::Failure;
use crate::bench::jobs::{Errand, Process, bullmq_options};
use crate::delay::in_sequence;

/// Its keys, apart from ours.
const RIVAL_PREFIX: &str = "rival";

/// It, running.
pub(super) struct Rival(Process);

impl Rival {
    pub(super) async fn start(world: &World, folder: &Path) -> Result<Self, Failure> {
        let errand = Errand {
            redis: &world.redis_url,
            database: &world.database_url,
            prefix: RIVAL_PREFIX,
            jobs: 0,
            options: bullmq_options(&world.config("http://localhost/")?)?,
        };
        Ok(Self(Process::waiting_rival(folder, errand).await?))
    }

    /// Lets it add a job, and waits for the score.
    pub(super) async fn take(&mut self, world: &mut World) -> Result<Sample, Failure> {
        let project = world.project();
        let began = Instant::now();
        let (done, committed) = tokio::join!(self.0.tell(&project), world.commits.next(&project));
        let (_, committed) = (done?, committed?);
        let round_trips = in_sequence(world.trips(began), began, committed);
        Ok(Sample { took: committed - began, round_trips })
    }
}
