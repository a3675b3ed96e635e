//! Waking the drain: how often it is asked, with what, and that nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::Api;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use drain::Drain;
use futures_util::stream::{self, StreamExt as _};
use shared::config::{Secret, WakeConfig};
use shared::engine::Report;
use shared::wake::Wake;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout};

use crate::world::{World, serve, token};

/// What stands behind `DRAIN_WAKE_URL`, and does what `behave` says when it is asked.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    asked: UnboundedReceiver<(Method, HeaderMap)>,
}

impl Endpoint {
    pub(crate) async fn start<F, R>(behave: F) -> Self
    where
        F: Fn() -> R + Clone + Send + Sync + 'static,
        R: Future<Output = StatusCode> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?key=secret-of-the-url", listener.local_addr().unwrap());
        let (tell, asked) = unbounded_channel();
        let handler = move |request: Request| {
            tell.send((request.method().clone(), request.headers().clone())).unwrap();
            behave()
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { url, asked }
    }

    /// Waits for the next one who asks: `who`, says the failure otherwise.
    async fn next(&mut self, who: &str) -> (Method, HeaderMap) {
        timeout(Duration::from_secs(20), self.asked.recv()).await.expect(who).unwrap()
    }

    /// Those who asked until now, beginning with the first, for whom it waits.
    pub(crate) async fn asked(&mut self) -> Vec<(Method, HeaderMap)> {
        let mut all = vec![self.next("a wake-up").await];
        while let Ok(next) = self.asked.try_recv() {
            all.push(next);
        }
        all
    }
}

async fn projects(world: &World, n: u64) {
    let sql = format!(
        r#"INSERT INTO "Project" ("id", "userId", "name")
           SELECT 'w' || i, 'owner', 'W' FROM generate_series(1, {n}) AS i"#
    );
    world.database.batch_execute(&sql).await.unwrap();
}

/// Asks for a recompute of each of `n` projects, 50 at a time and in turn at each API.
async fn recompute_each(bases: &[String], n: u64) {
    let (http, token) = (reqwest::Client::new(), token("owner"));
    let posts = (1..=n).map(|i| {
        let base = &bases[i as usize % bases.len()];
        let url = format!("{base}/projects/w{i}/deo-score/recompute");
        http.post(url).bearer_auth(&token).send()
    });
    let answers = stream::iter(posts).buffer_unordered(50).map(|answer| answer.unwrap().status());
    assert!(answers.all(async |status| status == StatusCode::CREATED).await);
}

#[tokio::test]
async fn a_thousand_adds_to_a_sleeping_queue_ring_once() {
    let mut endpoint = Endpoint::start(async || StatusCode::OK).await;
    let settings = [("DRAIN_WAKE_URL", &*endpoint.url), ("DRAIN_WAKE_TOKEN", "sesame")];
    let world = World::with(&settings).await;
    projects(&world, 1_000).await;
    // Two instances, which know nothing of each other.
    let bases = [world.base.clone(), serve(Api::new(&world.config).unwrap()).await];
    recompute_each(&bases, 1_000).await;
    let asked = endpoint.asked().await;
    assert_eq!(asked.len(), 1);
    let (method, headers) = &asked[0];
    assert_eq!(
        (method, &headers["authorization"]),
        (&Method::POST, &"Bearer sesame".parse().unwrap())
    );
    assert_eq!(
        (&headers["content-length"], &headers["content-type"]),
        (&"2".parse().unwrap(), &"application/json".parse().unwrap())
    );
    assert_eq!(world.queue().counts().await.unwrap().wait, 1_000);
}

#[tokio::test]
async fn a_thousand_adds_are_drained_by_few_wake_ups_alone() {
    // A drain that each wake-up runs, as many at once as ring.
    let (set, woken) = tokio::sync::watch::channel(None::<Drain>);
    let (tell, mut reports) = unbounded_channel::<Report>();
    let running = Arc::new(AtomicU64::new(0));
    let most = Arc::new(AtomicU64::new(0));
    let behave = {
        let most = most.clone();
        move || run_tick(woken.borrow().clone(), tell.clone(), running.clone(), most.clone())
    };
    let mut endpoint = Endpoint::start(behave).await;
    let world = World::with(&[("DRAIN_WAKE_URL", &endpoint.url)]).await;
    set.send(Some(Drain::new(&world.config).unwrap())).unwrap();
    projects(&world, 1_000).await;
    let bases = [world.base.clone(), serve(Api::new(&world.config).unwrap()).await];
    let begun = Instant::now();
    recompute_each(&bases, 1_000).await;
    // Nothing ticks: what the last ring does not find would stay.
    let mut completed = 0;
    while completed < 1_000 {
        let next = timeout(Duration::from_secs(20), reports.recv()).await;
        let report = next.expect("jobs are left that nobody was woken for").unwrap();
        assert_eq!((report.failed, report.lost, &report.error), (0, 0, &None));
        completed += report.completed;
    }
    let took = begun.elapsed();
    let rings = endpoint.asked().await.len();
    println!(
        "{rings} wake-ups in {took:?} for 1,000 adds at 2 instances, at most {} at once",
        most.load(Ordering::SeqCst)
    );
    // Each instance: four a second, the first one and the last.
    let bound = 2 * (took.as_millis() / 250 + 2);
    assert!((rings as u128) <= bound, "{rings} wake-ups in {took:?}");
    let sql = r#"SELECT count(*), count(DISTINCT "projectId") FROM "DeoScoreSnapshot""#;
    let row = world.database.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1_000, 1_000));
}

async fn run_tick(
    drain: Option<Drain>,
    tell: UnboundedSender<Report>,
    running: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
) -> StatusCode {
    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    // As on Lambda, the tick goes on when the one who asked hangs up.
    let tick = tokio::spawn(async move {
        let report = drain.unwrap().tick(Instant::now() + Duration::from_secs(50)).await;
        running.fetch_sub(1, Ordering::SeqCst);
        tell.send(report).unwrap();
    });
    tick.await.unwrap();
    StatusCode::OK
}

#[tokio::test]
async fn nobody_is_woken_where_no_url_is_set_or_nothing_can_start() {
    let mut endpoint = Endpoint::start(async || StatusCode::OK).await;
    let off = World::start().await;
    assert_eq!(off.post("owner", "/projects/p1/deo-score/recompute", "").await.status, 201);

    let on = World::with(&[("DRAIN_WAKE_URL", &endpoint.url)]).await;
    on.queue().pause().await.unwrap();
    assert_eq!(on.post("owner", "/projects/p1/deo-score/recompute", "").await.status, 201);
    on.queue().resume().await.unwrap();
    // A job waits already: somebody has been woken for it, or the tick comes.
    assert_eq!(on.post("owner", "/projects/p1/deo-score/recompute", "").await.status, 201);
    assert_eq!(on.post("owner", "/projects/p2/deo-score/recompute", "").await.status, 201);
    assert!(endpoint.asked.try_recv().is_err());

    on.claim().await;
    on.claim().await;
    let bulk = r#"{"projectIds": ["p1", "p2", "p3"], "reason": "scheduled"}"#;
    assert_eq!(on.post("owner", "/deo-score/recompute", bulk).await.status, 202);
    assert_eq!(endpoint.asked().await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_hangs_or_fails_delays_no_answer() {
    let hangs = Endpoint::start(std::future::pending).await;
    let fails = Endpoint::start(async || StatusCode::BAD_GATEWAY).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for url in [hangs.url, fails.url, format!("http://{closed}/")] {
        let world = World::with(&[("DRAIN_WAKE_URL", &*url)]).await;
        let begun = Instant::now();
        let answer = world.post("owner", "/projects/p1/deo-score/recompute", "").await;
        let took = begun.elapsed();
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (201, r#"{"projectId":"p1","enqueued":true}"#)
        );
        // 0.3 s for the wake-up, which would take 10 s; the rest is a first connection to each server.
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn once_it_is_sent_a_request_is_not_waited_for() {
    let mut endpoint = Endpoint::start(std::future::pending).await;
    let url = Some(Secret::new(&*endpoint.url));
    let config = WakeConfig { url, ..WakeConfig::default() };
    let mut took = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        Wake::new(&config).unwrap().ring(true).await;
        took.push(begun.elapsed().as_millis());
        endpoint.next("a ring").await;
    }
    took.sort_unstable();
    // A connection, and 0.05 s in which a refusal would have come. The quickest: others run beside us.
    assert!((50..250).contains(&took[0]), "{took:?} ms");
    let wake = Wake::new(&config).unwrap();
    wake.ring(false).await;
    wake.finish().await;
    assert!(endpoint.asked.try_recv().is_err());

    // Who ends now waits for a ring that was put off.
    let wake = Wake::new(&config).unwrap();
    let begun = Instant::now();
    wake.ring(true).await;
    wake.ring(true).await;
    wake.finish().await;
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    for _ in 0..2 {
        endpoint.next("the first ring, and the one that was put off").await;
    }

    // One that is out, and not answered yet, is too early for those who come after it.
    let wake = Wake::new(&config).unwrap();
    for _ in 0..2 {
        wake.ring(true).await;
    }
    for _ in 0..2 {
        endpoint.next("both rings").await;
    }
    wake.ring(true).await;
    endpoint.next("a ring for who came later").await;
}

/// One whose connection is not made yet, either.
#[tokio::test]
async fn a_ring_that_waits_for_a_connection_is_waited_for() {
    shared::tls::install_provider();
    // It takes connections, and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Some(Secret::new(format!("https://{}/", silent.local_addr().unwrap())));
    let wake = Wake::new(&WakeConfig { url, ..WakeConfig::default() }).unwrap();
    let begun = Instant::now();
    wake.ring(true).await;
    let answered = begun.elapsed();
    wake.finish().await;
    let finished = begun.elapsed();
    assert!(finished - answered >= Duration::from_millis(500), "{answered:?}, then {finished:?}");
    // Nothing is left.
    assert!(timeout(Duration::ZERO, wake.finish()).await.is_ok());
}
