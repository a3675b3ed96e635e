//! Our client under load, on one thread, as in the functions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use rustix::time::{ClockId, clock_gettime};
use shared::redis::Redis;

use super::Load;
use super::figures::Sample;
use super::shape::Material;
use crate::Failure;

/// User and system time of this process so far. Nothing but the client works in it meanwhile: the
/// servers are processes of their own.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A thread with a client of each way, whose connections stay open between rounds.
#[derive(Debug)]
pub(super) struct Ours {
    // `None` only while it is dropped.
    runtime: Option<Arc<tokio::runtime::Runtime>>,
    material: Arc<Material>,
}

impl Ours {
    pub(super) fn new(material: Arc<Material>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Some(Arc::new(runtime)), material })
    }

    pub(super) async fn prepare(&self, redis: &Redis) -> Result<(), Failure> {
        let (redis, material) = (redis.clone(), self.material.clone());
        self.here(async move { Ok(material.prepare(&redis).await?) }).await
    }

    /// Sends until the time is up.
    pub(super) async fn run(&self, redis: &Redis, load: Load) -> Result<Sample, Failure> {
        let (redis, material) = (redis.clone(), self.material.clone());
        self.here(async move {
            let (cpu, started) = (cpu_time(), Instant::now());
            let senders = (0..load.at_once).map(|_| async {
                let mut latencies = Vec::new();
                while started.elapsed() < load.time {
                    let began = Instant::now();
                    material.send(load.shape, &redis).await?;
                    latencies.push(began.elapsed());
                }
                Ok::<_, Failure>(latencies)
            });
            let latencies = try_join_all(senders).await?.concat();
            let (cpu, time) = (cpu_time().saturating_sub(cpu), started.elapsed());
            Ok(Sample::of(latencies, time, cpu))
        })
        .await
    }

    /// Runs `work` on the thread.
    async fn here<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let runtime = self.runtime.clone().ok_or("the runtime is gone")?;
        tokio::task::spawn_blocking(move || runtime.block_on(work)).await?
    }
}

/// A runtime must not wait for its own end in another one.
impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take().and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }
}
