//! No result replaces one whose rows were read later, no row is overlooked, and no host's clock
//! matters for either.

use std::collections::BTreeMap;
use std::time::Duration;

use fixture::database_proxy::{snapshot_is_taken, through_proxy};
use shared::clock::Clock;
use shared::config::{Scope, Secret};
use shared::engine::Report;
use shared::queue::{JobOptions, NewJob, Queue};
use shared::recompute::{recompute_job, ticker};
use shared::store::{Store, Stretch};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::world::{World, config, data, recompute};

const HOUR_MS: i64 = 3_600_000;

/// The score of a project without rows.
const EMPTY: i32 = 9;

impl World {
    /// Adds a job that no other stands for.
    async fn ask(&self, project: &str) -> String {
        let job = recompute_job(&data(project), self.queue.options());
        let opts = JobOptions { deduplication: None, ..job.opts.clone() };
        self.queue.enqueue(&[NewJob { opts, ..job }]).await.unwrap().remove(0).id
    }

    /// Crawls a good page of this url, stamped `stamp`.
    async fn crawl(&self, project: &str, url: &str, stamp: &str) {
        let words = "600, '[]'";
        self.database
            .batch_execute(&format!(
                r#"INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", title,
                    "metaDescription", h1, "wordCount", issues, "scannedAt")
                VALUES ('{project}{url}', '{project}', '{url}', 200, 't', 'm', 'h', {words}, {stamp})"#
            ))
            .await
            .unwrap();
    }

    /// The current score, and all scores of the history, newest first.
    async fn scores(&self, project: &str) -> (Option<i32>, Vec<i32>) {
        let store = self.store();
        let current = store.current_score(project).await.unwrap().unwrap();
        let history = store.history(project, None, 100).await.unwrap().snapshots;
        let newest = history.first().map(|newest| newest.computed_at_ms);
        assert_eq!(current.computed_at_ms, newest, "the newest snapshot is the current score");
        (current.overall, history.iter().map(|snapshot| snapshot.overall).collect())
    }

    async fn stale(&self) -> Vec<String> {
        let all = Stretch { after: None, until: None, look_at: 500, take: 500 };
        self.store().projects_page(Scope::Stale, all, 7).await.unwrap().ids
    }

    fn store(&self) -> Store {
        Store::new(&Secret::new(&*self.env["DATABASE_URL"])).unwrap()
    }

    /// A day goes by: everything is a day longer ago.
    async fn sleep_a_day(&self) {
        let columns = [
            ("CrawlResult", "scannedAt"),
            ("Product", "lastSyncedAt"),
            ("Project", "currentDeoScoreComputedAt"),
            ("DeoScoreSnapshot", "computedAt"),
        ];
        for (table, column) in columns {
            let back =
                format!(r#"UPDATE "{table}" SET "{column}" = "{column}" - interval '1 day'"#);
            self.database.batch_execute(&back).await.unwrap();
        }
    }
}

const NOW: &str = "now() AT TIME ZONE 'UTC'";

/// A tick whose read has its rows, and cannot tell.
struct SlowRead {
    tick: JoinHandle<Report>,
    go_on: oneshot::Sender<()>,
}

impl SlowRead {
    async fn begin(world: &World) -> Self {
        let (url, watch) = through_proxy(&world.env["DATABASE_URL"]).await;
        let mut env: BTreeMap<_, _> = world.env.clone();
        env.insert("DATABASE_URL".to_owned(), url);
        let recompute = recompute(&config(&env));
        // The message after which the server sends its answer.
        let (reached, go_on) = watch.hold(b'S');
        let deadline = Instant::now() + Duration::from_secs(50);
        let tick = tokio::spawn(async move { recompute.tick(deadline).await });
        reached.await.unwrap();
        snapshot_is_taken(&world.database).await;
        Self { tick, go_on }
    }

    async fn end(self) {
        self.go_on.send(()).unwrap();
        let report = self.tick.await.unwrap();
        assert_eq!(report.completed, 1, "{report:?}");
    }
}

#[tokio::test]
async fn a_slow_batch_does_not_put_its_old_read_over_a_newer_one() {
    let world = World::new().await;
    world.projects(["p".to_owned()]).await;
    let first = world.ask("p").await;
    let slow = SlowRead::begin(&world).await;
    for url in ["/", "/about", "/faq"] {
        world.crawl("p", url, NOW).await;
    }
    let second = world.ask("p").await;
    assert_eq!(world.tick().await.completed, 1);
    let (Some(newer), history) = world.scores("p").await else { panic!("no score") };
    assert_eq!(history, [newer]);
    assert!(newer > EMPTY, "{newer}");
    slow.end().await;
    assert_eq!(world.scores("p").await, (Some(newer), vec![newer, EMPTY]));
    world.check_invariants(&[first, second], 0).await;
}

#[tokio::test]
async fn a_row_that_comes_during_a_read_is_scored_in_the_next_night() {
    let world = World::new().await;
    world.projects(["p".to_owned()]).await;
    world.ask("p").await;
    let slow = SlowRead::begin(&world).await;
    world.crawl("p", "/", NOW).await;
    slow.end().await;
    assert_eq!(world.scores("p").await.0, Some(EMPTY));
    assert_eq!(world.stale().await, ["p"]);
    world.ask("p").await;
    world.tick().await;
    assert!(world.scores("p").await.0 > Some(EMPTY));
}

#[tokio::test]
async fn hosts_whose_clocks_are_days_apart_agree_on_what_is_newest() {
    let mut world = World::new().await;
    // What is a day old goes but for one a week: nothing here is.
    world.set("SNAPSHOT_RETENTION", "weekly-after:1");
    world.projects(["p".to_owned()]).await;
    let settings = config(&world.env);
    let mut expected = Vec::new();
    for (offset, url) in [(50, "/"), (-50, "/about"), (50, "/faq"), (-50, "/pricing")] {
        world.crawl("p", url, NOW).await;
        assert_eq!(world.stale().await, ["p"], "{url}");
        world.ask("p").await;
        let clock = Clock::manual(Clock::System.now_ms() + offset * HOUR_MS);
        let queue = Queue::new(world.queue.redis().clone(), world.queue.options(), Clock::System);
        let host = ticker(queue, world.store(), &settings.drain, clock);
        let report = host.tick(Instant::now() + Duration::from_secs(50)).await;
        assert_eq!(report.completed, 1, "{report:?}");
        let (current, history) = world.scores("p").await;
        expected.insert(0, current.unwrap());
        assert_eq!(history, expected, "{url}");
    }
    expected.dedup();
    assert!(expected.len() > 1, "different rows, different scores: {expected:?}");
}

#[tokio::test]
async fn a_row_is_found_in_the_next_night_and_scored_in_no_night_after() {
    const NIGHTS: usize = 5;
    let world = World::new().await;
    // How long after the score a row is stamped, and in which nights the project is scored.
    let cases: [(&str, &[usize]); 8] = [
        ("- interval '1 hour'", &[]),
        ("- interval '16 minutes'", &[]),
        // The score may not know it.
        ("- interval '14 minutes'", &[0]),
        ("+ interval '0 minutes'", &[0]),
        // Stamped by clocks that are ahead.
        ("+ interval '14 minutes'", &[0]),
        ("+ interval '3 hours'", &[0]),
        ("+ interval '50 hours'", &[2]),
        ("+ interval '70 years'", &[]),
    ];
    let projects = world.numbered(cases.len() + 1).await;
    world.enqueue(&projects).await;
    world.tick().await;
    for (project, (after, _)) in projects.iter().zip(cases) {
        world.crawl(project, "/", &format!("{NOW} {after}")).await;
    }
    let no_date = projects.last().unwrap();
    world.crawl(no_date, "/", "timestamp 'infinity'").await;
    let mut scored = vec![Vec::new(); projects.len()];
    for night in 0..NIGHTS {
        world.sleep_a_day().await;
        let stale = world.stale().await;
        for project in &stale {
            scored[projects.iter().position(|it| it == project).unwrap()].push(night);
        }
        world.enqueue(&stale).await;
        assert_eq!(world.tick().await.completed, stale.len() as u64);
    }
    for ((after, nights), scored) in cases.iter().zip(&scored) {
        assert_eq!(scored, nights, "scanned {after}");
    }
    assert_eq!(scored.last().unwrap().len(), 0, "a row without a date");
}

/// A project that is crawled shortly before each night's score, and then no more.
#[tokio::test]
async fn a_score_soon_after_a_crawl_is_made_once_more_and_not_for_ever() {
    let world = World::new().await;
    let projects = world.projects(["p".to_owned()]).await;
    let mut nights = Vec::new();
    for night in 0..6 {
        if night < 2 {
            world.crawl("p", &format!("/{night}"), &format!("{NOW} - interval '10 minutes'")).await;
        }
        let stale = world.stale().await;
        nights.push(stale.len());
        world.enqueue(&stale).await;
        world.tick().await;
        world.sleep_a_day().await;
    }
    assert_eq!(projects.len(), 1);
    assert_eq!(nights, [1, 1, 1, 0, 0, 0]);
}
