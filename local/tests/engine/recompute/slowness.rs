//! What tests over a slow database begin and end with.

use std::sync::Arc;
use std::time::Duration;

use fixture::database_proxy::{Watch, through_proxy};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use shared::engine::StoppedBecause;
use shared::queue::{JobOptions, NewJob};
use shared::recompute::recompute_job;
use shared::redis::Command;

use super::world::{World, data};

/// Of a hundred statements, ninety-nine answer within this; the last takes up to three times as long.
const P99_MS: u64 = 80;

/// A world with so many jobs on a hundred projects, and a way to its database that is slow.
pub(super) struct Slow {
    pub(super) world: World,
    ids: Vec<String>,
    pub(super) database: String,
    watch: Arc<Watch>,
}

impl Slow {
    /// With these settings; all jobs are kept.
    pub(super) async fn new(
        seed: u64,
        jobs: usize,
        settings: &[(&'static str, &'static str)],
    ) -> Self {
        let mut world = World::new().await;
        let kept = [("QUEUE_KEEP_COMPLETED", "all"), ("QUEUE_KEEP_COMPLETED_SECONDS", "all")];
        for (name, value) in kept.iter().chain(settings) {
            world.set(name, value);
        }
        let projects = world.numbered(100).await;
        let job = |n: usize| {
            let job = recompute_job(&data(&projects[n % projects.len()]), world.queue.options());
            NewJob { opts: JobOptions { deduplication: None, ..job.opts.clone() }, ..job }
        };
        let jobs: Vec<NewJob> = (0..jobs).map(job).collect();
        let added = world.queue.enqueue(&jobs).await.unwrap();
        let (database, watch) = through_proxy(&world.env["DATABASE_URL"]).await;
        let mut random = StdRng::seed_from_u64(seed);
        *watch.delay.lock().unwrap() = Some(Box::new(move || {
            let most = if random.random_ratio(1, 100) { 3 * P99_MS } else { P99_MS };
            Duration::from_millis(random.random_range(0..=most))
        }));
        Self { ids: added.into_iter().map(|added| added.id).collect(), world, database, watch }
    }

    /// Works off what is left, and holds all jobs to have ended as they would have on a quick database.
    pub(super) async fn end(mut self) {
        *self.watch.delay.lock().unwrap() = None;
        let world = &mut self.world;
        let mut last = world.tick().await;
        // What was not done in time is put off, to be begun by another tick.
        while matches!(last.stopped_because, StoppedBecause::Deadline | StoppedBecause::Held) {
            last = world.tick().await;
        }
        assert_eq!(world.counts().await.completed as usize, self.ids.len(), "{last:?}");
        for id in &self.ids {
            let key = format!("engineo:deo_score_queue:{id}");
            let attempts = world.call(Command::new("HGET").arg(key).arg("atm")).await;
            assert_eq!(
                attempts.as_str(),
                Some("1"),
                "job {id}: attempts that were given back count"
            );
        }
        world.check_invariants(&self.ids, 0).await;
    }
}
