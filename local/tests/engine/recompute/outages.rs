//! Redis is emptied, full, paused or forgetful, or its producers' clock is wrong, while a drain works.

use std::time::Duration;

use shared::clock::Clock;
use shared::engine::{Report, StoppedBecause};
use shared::queue::{ClaimRequest, JobOptions, NewJob, Queue};
use shared::recompute::{recompute_job, ticker};
use shared::redis::{Command, ErrorKind};
use shared::store::Store;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::world::{World, config, connect, data, nowhere, recompute};

/// A tick that has claimed ten of thirty jobs, and waits for Postgres.
struct Halfway {
    tick: JoinHandle<Report>,
    blocker: Client,
    ids: Vec<String>,
}

impl Halfway {
    async fn of(world: &mut World) -> Self {
        world.set("QUEUE_BATCH_SIZE", "10");
        world.set("DRAIN_LANES", "1");
        let projects = world.numbered(30).await;
        let ids = world.enqueue(&projects).await;
        let blocker = connect(&world.env["DATABASE_URL"]).await;
        blocker.batch_execute(r#"BEGIN; LOCK TABLE "DeoScoreSnapshot""#).await.unwrap();
        let recompute = recompute(&config(&world.env));
        let deadline = Instant::now() + Duration::from_secs(50);
        let tick = tokio::spawn(async move { recompute.tick(deadline).await });
        while world.held_up().await == 0 {
            assert!(!tick.is_finished(), "the tick ended before Postgres held it up");
        }
        Self { tick, blocker, ids }
    }

    /// Lets the tick go on, to its end.
    async fn release(self) -> Report {
        self.blocker.batch_execute("COMMIT").await.unwrap();
        self.tick.await.unwrap()
    }
}

async fn control(world: &World, words: &[&'static str]) {
    let command =
        words[1..].iter().fold(Command::new(words[0]), |command, word| command.arg(*word));
    world.call(command).await;
}

/// A dead drain's jobs wait again two minutes after its tick's beginning: at the second tick after it.
#[tokio::test]
async fn a_lock_outlives_its_tick_s_deadline_by_thirty_seconds() {
    let mut world = World::new().await;
    // The deadline is 50 s away.
    let halfway = Halfway::of(&mut world).await;
    let key = format!("engineo:deo_score_queue:{}:lock", halfway.ids[0]);
    let left = world.call(Command::new("PTTL").arg(key)).await;
    let left = left.as_int().unwrap();
    assert!((70_000..=80_000).contains(&left), "{left}");
    halfway.release().await;
}

#[tokio::test]
async fn what_could_not_be_done_goes_behind_what_waits() {
    let mut world = World::new().await;
    world.set("QUEUE_BATCH_SIZE", "2");
    world.set("DRAIN_LANES", "1");
    let projects = world.numbered(4).await;
    let ids = world.enqueue(&projects).await;
    let database = world.env["DATABASE_URL"].clone();
    world.set("DATABASE_URL", &nowhere());
    let broken = world.tick().await;
    world.set("DATABASE_URL", &database);
    assert_eq!((broken.claimed, broken.released), (2, 2), "{broken:?}");
    let claim = world.queue.claim(ClaimRequest::everywhere(4)).await.unwrap();
    let order: Vec<&str> = claim.jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(order, [&ids[2], &ids[3], &ids[0], &ids[1]]);
}

#[tokio::test]
async fn a_redis_that_lost_everything_is_given_no_ghosts() {
    let mut world = World::new().await;
    let halfway = Halfway::of(&mut world).await;
    world.redis.kill();
    world.redis.restart().await.unwrap();
    let report = halfway.release().await;
    assert_eq!((report.claimed, report.completed, report.lost), (10, 0, 10), "{report:?}");
    assert_eq!(world.counts().await, Default::default());

    // Ids begin anew: the job has the id of one before it, and yet a snapshot of its own.
    let first: String = world.snapshots().await.into_keys().min().unwrap();
    assert_eq!(world.enqueue(std::slice::from_ref(&first)).await, ["1"]);
    assert_eq!(world.tick().await.completed, 1);
    assert_eq!(world.snapshots().await[&first], 2);
}

#[tokio::test]
async fn a_full_redis_takes_no_job_by_halves_and_gives_back_those_it_has() {
    let mut world = World::new().await;
    let halfway = Halfway::of(&mut world).await;
    let mut ids = halfway.ids.clone();
    control(&world, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let project = world.projects(["new".to_owned()]).await.remove(0);
    let job = recompute_job(&data(&project), world.queue.options());
    let error = world.queue.enqueue(std::slice::from_ref(&job)).await.unwrap_err();
    let shared::queue::Error::Redis(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), &ErrorKind::Server("OOM".into()), "{error}");
    // What it has can be worked off or not; none of it may go missing.
    let report = halfway.release().await;
    println!("with a full Redis: {report:?}");
    assert_eq!(report.failed, 0);
    control(&world, &["CONFIG", "SET", "maxmemory", "0"]).await;
    ids.extend(world.queue.enqueue(&[job]).await.unwrap().into_iter().map(|added| added.id));
    for _ in 0..2 {
        world.age().await;
        world.tick().await;
    }
    assert_eq!(world.counts().await.completed, 31);
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn a_full_redis_lets_jobs_be_done_beside_those_that_may_have_stalled() {
    let world = World::new().await;
    let projects = world.numbered(3).await;
    world.enqueue(&projects).await;
    world.queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
    control(&world, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let report = world.tick().await;
    assert_eq!((report.completed, &report.error), (2, &None), "{report:?}");
}

#[tokio::test]
async fn a_queue_paused_under_a_drain_keeps_the_rest_waiting() {
    let mut world = World::new().await;
    let halfway = Halfway::of(&mut world).await;
    let ids = halfway.ids.clone();
    world.queue.pause().await.unwrap();
    let report = halfway.release().await;
    assert_eq!((report.claimed, report.completed), (10, 10));
    assert_eq!(report.stopped_because, StoppedBecause::Paused);
    assert_eq!(report.remaining.unwrap().prioritized, 20);
    world.queue.resume().await.unwrap();
    assert_eq!(world.tick().await.completed, 20);
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn scripts_forgotten_in_between_are_sent_anew() {
    let mut world = World::new().await;
    let halfway = Halfway::of(&mut world).await;
    let ids = halfway.ids.clone();
    control(&world, &["SCRIPT", "FLUSH"]).await;
    let report = halfway.release().await;
    assert_eq!((report.claimed, report.completed), (30, 30), "{report:?}");
    world.check_invariants(&ids, 0).await;
}

#[tokio::test]
async fn clocks_five_minutes_apart_delay_jobs_and_lose_none() {
    const MINUTES: i64 = 60_000;
    let world = World::new().await;
    let projects = world.numbered(2).await;
    let settings = config(&world.env);
    let now = Clock::System.now_ms();
    let mut ids = Vec::new();
    for (project, offset) in projects.iter().zip([5 * MINUTES, -5 * MINUTES]) {
        let clock = Clock::manual(now + offset);
        let producer = Queue::new(world.queue.redis().clone(), world.queue.options(), clock);
        let job = recompute_job(&data(project), world.queue.options());
        let plain = JobOptions { deduplication: None, ..job.opts.clone() };
        let later = JobOptions { delay_ms: 1_000, ..plain.clone() };
        for opts in [plain, later] {
            let added = producer.enqueue(&[NewJob { opts, ..job.clone() }]).await.unwrap();
            ids.push(added[0].id.clone());
        }
    }
    let clock = Clock::manual(now);
    let store = Store::new(settings.database_url.as_ref().unwrap()).unwrap();
    let queue = Queue::new(world.queue.redis().clone(), world.queue.options(), clock.clone());
    let recompute = ticker(queue, store, &settings.drain, clock.clone());
    let tick = || recompute.tick(Instant::now() + Duration::from_secs(50));
    let report = tick().await;
    // Of the producer that is ahead, the plain job; of the one that is behind, both.
    assert_eq!((report.completed, report.remaining.unwrap().delayed), (3, Some(1)), "{report:?}");
    assert!((5 * MINUTES..6 * MINUTES).contains(&report.oldest_waiting_ms.unwrap()));
    clock.advance(5 * MINUTES + 1_000);
    assert_eq!(tick().await.completed, 1);
    world.check_invariants(&ids, 0).await;
}
