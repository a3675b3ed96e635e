//! Several queues in one tick: what it costs, whose turn it is, and that none holds up another.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared::engine::{Context, Handler, Report, StoppedBecause, TickOptions, Ticker};
use shared::queue::{
    ClaimRequest, ClaimedJob, Hold, JobOptions, NewJob, Queue, RateLimit, Settlement, State,
};
use shared::redis::Command;
use tokio::time::{Instant, sleep};

use super::{Clock, Down, Obedient, add, queue, states};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// A ticker of these queues, all with an obedient handler.
fn ticker_of(queues: &[&Queue]) -> Ticker {
    let ticker = Ticker::empty(TickOptions::default(), Clock::System);
    queues
        .iter()
        .fold(ticker, |ticker, queue| ticker.with((*queue).clone(), Obedient::default(), 1))
}

async fn later(queue: &Queue) -> String {
    let opts = JobOptions { delay_ms: 600_000, ..JobOptions::default() };
    let (name, data) = ("job".to_owned(), "{}".to_owned());
    let job = NewJob { name, data, opts, ..NewJob::default() };
    queue.enqueue(&[job]).await.unwrap().remove(0).id
}

async fn prioritized(queue: &Queue, count: usize) {
    let opts = JobOptions { priority: 10, ..JobOptions::default() };
    let (name, data) = ("job".to_owned(), "{}".to_owned());
    let job = NewJob { name, data, opts, ..NewJob::default() };
    queue.enqueue(&vec![job; count]).await.unwrap();
}

#[tokio::test]
async fn empty_queues_cost_one_command_together() {
    let queues = [queue("empty-a").await, queue("empty-b").await, queue("empty-c").await];
    let [a, b, c] = &queues;
    let ticker = ticker_of(&[a, b, c]);
    for _ in 0..2 {
        let report = ticker.tick(soon()).await;
        assert_eq!((report.billed_commands, report.round_trips), (1, 1), "{report:?}");
        assert_eq!((report.queues.len(), report.stopped_because), (3, StoppedBecause::Empty));
    }
}

#[tokio::test]
async fn a_queue_that_holds_only_future_jobs_costs_one_command_more() {
    let queues = [queue("future-a").await, queue("future-b").await, queue("future-c").await];
    let [a, b, c] = &queues;
    let ticker = ticker_of(&[a, b, c]);
    later(a).await;
    // The first time nobody knows where to look.
    let report = ticker.tick(soon()).await;
    assert_eq!(report.billed_commands, 3, "{report:?}");
    for _ in 0..2 {
        let report = ticker.tick(soon()).await;
        assert_eq!((report.billed_commands, report.claimed), (2, 0), "{report:?}");
    }
    later(c).await;
    ticker.tick(soon()).await;
    assert_eq!(ticker.tick(soon()).await.billed_commands, 3);
}

/// The keys that are counted are no more than before: another queue's job must be found all the same.
#[tokio::test]
async fn what_is_remembered_of_a_queue_hides_no_job_of_another() {
    let queues = [queue("guess-a").await, queue("guess-b").await];
    let [a, b] = &queues;
    let ticker = ticker_of(&[a, b]);
    later(a).await;
    ticker.tick(soon()).await;
    a.redis().call(Command::new("DEL").arg("bull:guess-a:delayed")).await.unwrap();
    let ids = add(b, &["1"]).await;
    assert_eq!(ticker.tick(soon()).await.completed, 1);
    assert_eq!(states(b, &ids).await, [State::Completed]);
    // Nor does a future job hide one in the same queue, or in one that is looked at after it.
    later(a).await;
    ticker.tick(soon()).await;
    let ids = [add(a, &["1"]).await, add(b, &["2"]).await];
    let report = ticker.tick(soon()).await;
    assert_eq!(report.completed, 2, "{report:?}");
    assert_eq!(states(a, &ids[0]).await, [State::Completed]);
    assert_eq!(states(b, &ids[1]).await, [State::Completed]);
}

#[tokio::test]
async fn neither_a_failing_nor_a_paused_nor_a_broken_queue_holds_up_another() {
    let queues = [
        queue("hold-down").await,
        queue("hold-paused").await,
        queue("hold-broken").await,
        queue("hold-well").await,
    ];
    let [down, paused, broken, well] = &queues;
    let waits = add(down, &["down"]).await;
    let held = add(paused, &["1"]).await;
    paused.pause().await.unwrap();
    let set = Command::new("SET").arg("bull:hold-broken:wait").arg("no list");
    broken.redis().call(set).await.unwrap();
    let ids = add(well, &["1", "2"]).await;
    let report = ticker_of(&[down, paused, broken, well]).tick(soon()).await;
    assert_eq!(states(well, &ids).await, [State::Completed, State::Completed], "{report:?}");
    assert_eq!(states(down, &waits).await, [State::Wait]);
    assert_eq!(states(paused, &held).await, [State::Paused]);
    // What is wrong is told with the queue's name.
    assert_eq!(report.stopped_because, StoppedBecause::Error);
    let error = report.error.as_deref().unwrap();
    assert!(error.contains("hold-down: the database is down"), "{error}");
    assert!(error.contains("hold-broken: "), "{error}");
    let of = |name: &str| &report.queues[name];
    assert_eq!(of("hold-paused").stopped_because, StoppedBecause::Paused);
    assert_eq!((of("hold-well").completed, &of("hold-well").error), (2, &None));
    assert_eq!(report.completed, 2);
    let spent: u64 = report.queues.values().map(|queue| queue.billed_commands).sum();
    assert_eq!(report.billed_commands, spent);
}

/// A tick says what holds it back, with the limit, at no cost, and of several queues of which.
#[tokio::test]
async fn a_tick_says_which_limit_holds_it_and_in_which_queue() {
    let [paused, full, well] =
        [queue("which-paused").await, queue("which-full").await, queue("which-well").await];
    for queue in [&paused, &full, &well] {
        add(queue, &["1", "2"]).await;
    }
    paused.pause().await.unwrap();
    full.limit_concurrency(NonZeroU32::new(1)).await.unwrap();
    full.claim(ClaimRequest::everywhere(1)).await.unwrap();
    let report = ticker_of(&[&paused, &full, &well]).tick(soon()).await;
    let told = Some(Hold::Full { concurrency: Some(1), active: 1, left_ms: None });
    assert_eq!((report.hold, report.held_queue.as_deref()), (told, Some("which-full")));
    assert_eq!(report.queues["which-paused"].hold, Some(Hold::Paused));
    assert_eq!(report.queues["which-well"].hold, None);

    full.limit_concurrency(None).await.unwrap();
    let hour = NonZeroU32::new(3_600_000).unwrap();
    full.limit_rate(Some(RateLimit { max: NonZeroU32::MIN, duration_ms: hour })).await.unwrap();
    let limiter = Command::new("SET").arg("bull:which-full:limiter").arg("1").arg("PX");
    full.redis().call(limiter.arg("3600000")).await.unwrap();
    let report = ticker_of(&[&paused, &full]).tick(soon()).await;
    let Some(Hold::Limited { max: Some(1), duration_ms: Some(3_600_000), left_ms }) = report.hold
    else {
        panic!("{report:?}")
    };
    assert_eq!(
        (Some(left_ms), report.held_queue.as_deref()),
        (report.limited_ms, Some("which-full"))
    );
    // One queue alone needs no name.
    let report = ticker_of(&[&paused]).tick(soon()).await;
    assert_eq!((report.hold, report.held_queue), (Some(Hold::Paused), None));
}

/// Takes its time with each batch, and notes in a list of all queues whose it was.
struct Steady {
    log: Arc<Mutex<Vec<String>>>,
    takes: Duration,
}

impl Handler for Steady {
    type Error = Down;

    async fn handle(
        &self,
        jobs: &[ClaimedJob],
        context: &Context<'_>,
    ) -> Result<Vec<Settlement>, Down> {
        self.log.lock().unwrap().push(context.queue().name.clone());
        sleep(self.takes).await;
        Ok(vec![Settlement::Complete("1".to_owned()); jobs.len()])
    }
}

/// Ticks for about `run` over queues of batches of one job that take `takes`, and returns in which order
/// they were worked on.
async fn order(queues: &[(&Queue, u32)], takes: Duration, run: Duration) -> (Vec<String>, Report) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let margin = Duration::from_millis(500);
    let options = TickOptions { margin, batch_size: 1, lanes: 1, ..TickOptions::default() };
    let mut ticker = Ticker::empty(options, Clock::System);
    for (queue, weight) in queues {
        let handler = Steady { log: log.clone(), takes };
        ticker = ticker.with((*queue).clone(), handler, *weight);
    }
    let report = ticker.tick(Instant::now() + run).await;
    let order = log.lock().unwrap().clone();
    (order, report)
}

#[tokio::test]
async fn queues_share_the_time_by_their_weights() {
    let (heavy, light) = (queue("share-heavy").await, queue("share-light").await);
    for queue in [&heavy, &light] {
        add(queue, &["1"; 400]).await;
    }
    let takes = Duration::from_millis(20);
    let (order, report) = order(&[(&heavy, 3), (&light, 1)], takes, Duration::from_secs(4)).await;
    assert_eq!(report.stopped_because, StoppedBecause::Deadline, "{report:?}");
    let of = |name| order.iter().filter(|queue| *queue == name).count() as f64;
    let ratio = of("share-heavy") / of("share-light");
    assert!((2.0..=4.5).contains(&ratio), "{ratio}: {order:?}");
}

#[tokio::test]
async fn a_light_queue_has_all_of_the_time_once_the_heavy_one_is_empty() {
    let (heavy, light) = (queue("rest-heavy").await, queue("rest-light").await);
    add(&heavy, &["1"; 5]).await;
    add(&light, &["1"; 50]).await;
    let takes = Duration::from_millis(10);
    let (order, report) =
        order(&[(&heavy, 100), (&light, 1)], takes, Duration::from_secs(20)).await;
    assert_eq!((order.len(), report.completed), (55, 55), "{report:?}");
    assert_eq!(report.stopped_because, StoppedBecause::Empty);
}

#[tokio::test]
async fn what_is_awaited_goes_before_bulk_of_any_queue() {
    let (bulk, urgent) = (queue("class-bulk").await, queue("class-urgent").await);
    prioritized(&bulk, 20).await;
    add(&urgent, &["1"; 20]).await;
    let takes = Duration::from_millis(5);
    let (order, _) = order(&[(&bulk, 50), (&urgent, 1)], takes, Duration::from_secs(20)).await;
    let first_of_bulk = order.iter().skip(1).position(|queue| queue == "class-bulk").unwrap();
    // The first batch of each begins at the same time.
    assert!(first_of_bulk >= 18, "{order:?}");
    assert_eq!(order.len(), 40);
}

/// What is under way and the last of its queue: nobody gains if others wait for it.
#[tokio::test]
async fn one_slow_job_holds_up_no_bulk_of_another_queue() {
    let (slow, bulk) = (queue("lone-slow").await, queue("lone-bulk").await);
    add(&slow, &["1"]).await;
    prioritized(&bulk, 30).await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let handler = |millis| Steady { log: log.clone(), takes: Duration::from_millis(millis) };
    let options = TickOptions { batch_size: 10, lanes: 1, ..TickOptions::default() };
    let ticker = Ticker::empty(options, Clock::System).with(slow.clone(), handler(4_000), 5).with(
        bulk.clone(),
        handler(5),
        1,
    );
    let (report, ()) = tokio::join!(ticker.tick(Instant::now() + Duration::from_secs(30)), async {
        sleep(Duration::from_secs(2)).await;
        assert_eq!(bulk.counts().await.unwrap().completed, 30);
        assert_eq!(slow.counts().await.unwrap().active, 1);
    });
    assert_eq!(report.completed, 31, "{report:?}");
}

#[tokio::test]
async fn bulk_is_not_put_off_for_a_whole_tick() {
    let (bulk, urgent) = (queue("late-bulk").await, queue("late-urgent").await);
    prioritized(&bulk, 400).await;
    add(&urgent, &["1"; 400]).await;
    let takes = Duration::from_millis(20);
    let (order, _) = order(&[(&bulk, 1), (&urgent, 1)], takes, Duration::from_secs(3)).await;
    let of_bulk = order.iter().filter(|queue| *queue == "late-bulk").count();
    assert!((10..=60).contains(&of_bulk), "{of_bulk} of {}", order.len());
}

#[tokio::test]
async fn a_slow_queue_leaves_the_others_their_time() {
    let (slow, quick) = (queue("pace-slow").await, queue("pace-quick").await);
    add(&slow, &["sleep"]).await;
    let ids = add(&quick, &["1"; 500]).await;
    let options = TickOptions { batch_size: 10, ..TickOptions::default() };
    let ticker = Ticker::empty(options, Clock::System)
        .with(slow.clone(), Obedient::default(), 1)
        .with(quick.clone(), Obedient::default(), 1);
    let report = ticker.tick(Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(report.queues["pace-quick"].completed as usize, ids.len(), "{report:?}");
    assert_eq!(report.queues["pace-slow"].released, 1);
}
