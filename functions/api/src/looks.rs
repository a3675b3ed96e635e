//! Shares looks at the queue: who asks soon after another gets what was read for that one.
//!
//! A console that is open asks again and again, and so does each other one. What is remembered lives as long
//! as the process, which answers one request at a time on Lambda and many at once elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shared::queue::{self, Failures, Overview};
use tokio::sync::Mutex;

use crate::Api;
use crate::error::Error;
use crate::queue::{no_queue, not_read};

/// How long a look at the queue stands, in milliseconds.
const OVERVIEW_MS: i64 = 10_000;

/// How long a look at the failed jobs stands, in milliseconds: the first one reads each of them.
const FAILURES_MS: i64 = 30_000;

/// The newest looks.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    overview: Shared<Overview>,
    failures: Shared<Failures>,
    /// How often the queue was operated.
    operated: AtomicU64,
}

impl Looks {
    /// The queue at a glance.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub(crate) async fn overview(&self, api: &Api) -> Result<Arc<Overview>, Error> {
        let queue = api.queue().ok_or(no_queue())?;
        let read = async |before: Option<&Overview>| queue.overview(before).await;
        self.overview.get(api, self.operated(), OVERVIEW_MS, |look| look.at_ms, read).await
    }

    /// Why the newest failed jobs failed.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub(crate) async fn failures(&self, api: &Api) -> Result<Arc<Failures>, Error> {
        let queue = api.queue().ok_or(no_queue())?;
        let read = async |before: Option<&Failures>| queue.failures(before).await;
        self.failures.get(api, self.operated(), FAILURES_MS, |look| look.at_ms, read).await
    }

    /// Lets no look stand that was taken until now: who has operated the queue wants to see it.
    pub(crate) fn forget(&self) {
        self.operated.fetch_add(1, Ordering::Relaxed);
    }

    fn operated(&self) -> u64 {
        self.operated.load(Ordering::Relaxed)
    }
}

/// The newest look of a kind, and how often the queue had been operated before it.
#[derive(Debug)]
struct Shared<T>(Mutex<Option<(u64, Arc<T>)>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Shared<T> {
    /// The look that stands, or one that is read now. Who asks meanwhile waits for that one.
    async fn get(
        &self,
        api: &Api,
        operated: u64,
        stands_ms: i64,
        at_ms: impl Fn(&T) -> i64,
        read: impl AsyncFnOnce(Option<&T>) -> Result<T, queue::Error>,
    ) -> Result<Arc<T>, Error> {
        let mut seen = self.0.lock().await;
        let now = api.clock().now_ms();
        if let Some((at, look)) = seen.as_ref()
            && *at >= operated
            && (0..stands_ms).contains(&(now - at_ms(look)))
        {
            return Ok(Arc::clone(look));
        }
        let before = seen.as_ref().map(|(_, look)| look.as_ref());
        let look = Arc::new(read(before).await.map_err(not_read)?);
        *seen = Some((operated, Arc::clone(&look)));
        Ok(look)
    }
}
