//! Several batches of a queue under way at once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use shared::engine::{Context, Handler, Report, StoppedBecause, TickOptions, Ticker};
use shared::queue::{ClaimedJob, Queue, Settlement, State};
use tokio::time::{Instant, sleep};

use super::{Clock, Down, add, queue, states};

/// Counts how many batches it has at once.
#[derive(Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
    batches: AtomicUsize,
    /// The batch, counted from 1, with which it fails.
    fails_at: usize,
}

impl Handler for Counting {
    type Error = Down;

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        _context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Down> {
        let batch = self.batches.fetch_add(1, Ordering::SeqCst) + 1;
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        sleep(Duration::from_millis(20)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        if batch == self.fails_at {
            return Err(Down);
        }
        Ok(vec![Settlement::Complete("1".to_owned()); jobs.len()])
    }
}

async fn tick(queue: &Queue, lanes: usize, handler: &Arc<Counting>) -> Report {
    let options = TickOptions { batch_size: 10, lanes, ..TickOptions::default() };
    let ticker = Ticker::new(queue.clone(), handler.clone(), options, Clock::System);
    ticker.tick(Instant::now() + Duration::from_secs(30)).await
}

#[tokio::test]
async fn as_many_batches_are_under_way_as_there_are_lanes() {
    for lanes in [1, 3] {
        let queue = queue(&format!("lanes-{lanes}")).await;
        add(&queue, &["1"; 95]).await;
        let handler = Arc::new(Counting::default());
        let report = tick(&queue, lanes, &handler).await;
        assert_eq!((report.completed, report.batches), (95, 10), "{report:?}");
        assert_eq!(handler.most.load(Ordering::SeqCst), lanes);
        assert_eq!(report.stopped_because, StoppedBecause::Empty);
    }
}

#[tokio::test]
async fn a_batch_that_is_not_full_opens_no_lane() {
    let queue = queue("lanes-lone").await;
    let handler = Arc::new(Counting::default());
    let mut spent = Vec::new();
    // The first one loads the scripts.
    for lanes in [1, 1, 4] {
        add(&queue, &["1"]).await;
        spent.push(tick(&queue, lanes, &handler).await.round_trips);
    }
    assert_eq!(spent[1], spent[2]);
}

/// A second batch that must wait for the first one's end is no reason to stop.
#[tokio::test]
async fn a_limit_of_active_jobs_holds_for_all_lanes_together() {
    let queue = queue("lanes-full").await;
    let ids = add(&queue, &["1"; 40]).await;
    queue.limit_concurrency(NonZeroU32::new(10)).await.unwrap();
    let handler = Arc::new(Counting::default());
    let report = tick(&queue, 3, &handler).await;
    assert_eq!(
        (report.completed as usize, report.stopped_because),
        (ids.len(), StoppedBecause::Empty)
    );
    assert_eq!(handler.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_batch_that_fails_ends_the_tick_once_the_others_are_done() {
    let queue = queue("lanes-fail").await;
    let ids = add(&queue, &["1"; 100]).await;
    let handler = Arc::new(Counting { fails_at: 2, ..Counting::default() });
    let report = tick(&queue, 2, &handler).await;
    assert_eq!(
        (report.stopped_because, report.released),
        (StoppedBecause::Error, 10),
        "{report:?}"
    );
    assert_eq!(report.completed + report.released, report.claimed);
    let states = states(&queue, &ids).await;
    let count = |state| states.iter().filter(|other| **other == state).count() as u64;
    assert_eq!((count(State::Completed), count(State::Active)), (report.completed, 0));
}
