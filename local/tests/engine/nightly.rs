//! The nightly recompute against a real Redis and a real Postgres: who is enqueued, where it stops,
//! and where it goes on.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use cron::{Report, StoppedBecause};
use fixture::World;
use shared::clock::Clock;

/// A prefix and a database of its own for one test.
struct Night(World);

impl Deref for Night {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Night {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

impl Night {
    async fn new() -> Self {
        Self(World::builder().redis().database("").start().await)
    }

    /// `n` projects, each with the score and the rows that `sql` gives it; `id` is the project's.
    async fn projects(&self, name: &str, n: i32, computed: &str, scanned: &str, synced: &str) {
        let sql = format!(
            r#"INSERT INTO "User" (id, email, password, "updatedAt") VALUES ('u', 'u@example.com', '', now())
                 ON CONFLICT DO NOTHING;
               INSERT INTO "Project" (id, "userId", name, "currentDeoScore", "currentDeoScoreComputedAt")
                 SELECT '{name}' || lpad(i::text, 5, '0'), 'u', i, 50, {computed} FROM generate_series(1, {n}) AS i;
               INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "scannedAt")
                 SELECT 'c' || id, id, '/', 200, '[]', {scanned} FROM "Project" WHERE id LIKE '{name}%' AND {scanned} IS NOT NULL;
               INSERT INTO "Product" (id, "projectId", "externalId", title, "lastSyncedAt")
                 SELECT 'r' || id, id, id, 'a', {synced} FROM "Project" WHERE id LIKE '{name}%' AND {synced} IS NOT NULL;"#
        );
        self.database.batch_execute(&sql).await.unwrap();
    }

    async fn tick(&self) -> Report {
        self.tick_for(Duration::from_secs(60)).await
    }

    async fn tick_for(&self, time: Duration) -> Report {
        self.night(time).await
    }

    /// Whoever asks for the pages of a project whose id is LIKE `id`, and whose rows are to be newer than its score, first
    /// has to do what `sql` says.
    async fn gate(&self, id: &str, sql: &str) {
        let sql = format!(
            r#"CREATE FUNCTION gate(id text) RETURNS boolean LANGUAGE plpgsql AS $$
                 BEGIN IF id LIKE '{id}' THEN {sql}; END IF; RETURN true; END $$;
               ALTER TABLE "CrawlResult" RENAME TO behind;
               CREATE VIEW "CrawlResult" AS SELECT * FROM behind WHERE gate("projectId")"#
        );
        self.database.batch_execute(&sql).await.unwrap();
    }

    /// Closes the gate: whoever comes waits.
    async fn close(&self, id: &str) {
        self.gate(id, "PERFORM pg_advisory_xact_lock_shared(1)").await;
        self.database.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    }

    /// Until somebody waits.
    async fn is_waited_at(&self) {
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND \
                     database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while self.database.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {}
    }

    async fn open(&self) {
        self.database.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    }

    /// 2,001 projects on five pages, of which only that at the end of the fourth is stale.
    async fn fresh(&self) {
        let (hour, day) = (ago("1 hour"), ago("1 day"));
        self.projects("p", 2_000, &hour, "NULL::timestamp", "NULL::timestamp").await;
        self.projects("p01999x", 1, &day, &hour, "NULL::timestamp").await;
    }

    async fn bookmark(&self) -> Option<String> {
        self.queue.bookmark("cron-cursor").await.unwrap()
    }
}

const NOW: &str = "now() AT TIME ZONE 'UTC'";

fn ago(time: &str) -> String {
    format!("({NOW} - interval '{time}')")
}

#[tokio::test]
async fn by_default_only_stale_projects_are_enqueued() {
    let night = Night::new().await;
    let (hour, day, week) = (ago("1 hour"), ago("1 day"), ago("8 days"));
    night.projects("fresh", 2, &hour, &day, &day).await;
    night.projects("never", 3, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.projects("crawled", 4, &day, &hour, "NULL::timestamp").await;
    night.projects("synced", 5, &day, "NULL::timestamp", &hour).await;
    night.projects("old", 6, &week, "NULL::timestamp", "NULL::timestamp").await;
    let report = night.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Done, "{report:?}");
    assert_eq!((report.projects, report.enqueued), (3 + 4 + 5 + 6, 3 + 4 + 5 + 6));
    assert_eq!(night.counts().await.prioritized, 18);
}

#[tokio::test]
async fn a_project_whose_id_no_job_could_be_run_with_is_left_out() {
    let night = Night::new().await;
    night.projects("p", 2, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.projects(&"o".repeat(187), 1, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    let report = night.tick().await;
    assert_eq!((report.enqueued, report.stopped_because), (2, StoppedBecause::Done), "{report:?}");
}

#[tokio::test]
async fn the_age_and_the_scope_are_settings() {
    let mut night = Night::new().await;
    night.projects("p", 3, &ago("2 days"), "NULL::timestamp", "NULL::timestamp").await;
    assert_eq!(night.tick().await.enqueued, 0);
    night.set("CRON_MAX_AGE_DAYS", "1");
    assert_eq!(night.tick().await.enqueued, 3);
    night.set("CRON_SCOPE", "all");
    let again = night.tick().await;
    assert_eq!((again.enqueued, again.deduplicated), (0, 3));
    night.set("ENABLE_CRON", "false");
    let off = night.tick().await;
    assert_eq!((off.stopped_because, off.billed_commands), (StoppedBecause::Disabled, 0));
}

#[tokio::test]
async fn it_stops_at_the_high_water_mark_and_goes_on_from_there() {
    let mut night = Night::new().await;
    night.projects("p", 1_200, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.set("CRON_MAX_WAITING", "700");
    let first = night.tick().await;
    assert_eq!((first.stopped_because, first.enqueued), (StoppedBecause::HighWater, 700));
    let held = night.tick().await;
    assert_eq!((held.stopped_because, held.enqueued), (StoppedBecause::HighWater, 0));
    // The drain makes room.
    let queue = &*night.queue;
    let claim = queue.claim(shared::queue::ClaimRequest::everywhere(650)).await.unwrap();
    assert_eq!(claim.jobs.len(), 650);
    let second = night.tick().await;
    assert_eq!((second.stopped_because, second.enqueued), (StoppedBecause::Done, 500));
    // No project was walked over and none came twice, though none has a score yet.
    assert_eq!((second.projects, second.deduplicated), (500, 0));
}

#[tokio::test]
async fn it_stops_before_its_deadline_and_keeps_its_place() {
    let night = Night::new().await;
    night.projects("p", 10, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    let late = night.tick_for(Duration::from_secs(1)).await;
    assert_eq!((late.stopped_because, late.enqueued), (StoppedBecause::Deadline, 0));
    assert_eq!(night.tick().await.enqueued, 10);
}

#[tokio::test]
async fn a_night_without_stale_projects_costs_two_commands() {
    let night = Night::new().await;
    night.projects("p", 2_000, &ago("1 hour"), "NULL::timestamp", "NULL::timestamp").await;
    let report = night.tick().await;
    assert_eq!((report.stopped_because, report.pages), (StoppedBecause::Done, 5));
    // Whether anything waits, and the bookmark.
    assert_eq!(report.billed_commands, 2);
}

#[tokio::test]
async fn an_error_behind_fresh_projects_does_not_send_it_back() {
    let night = Night::new().await;
    night.fresh().await;
    night.gate("p01999x00001", "RAISE 'no' USING ERRCODE = '42501'").await;
    let failed = night.tick().await;
    assert_eq!((failed.stopped_because, failed.pages), (StoppedBecause::Error, 3), "{failed:?}");
    assert_eq!(failed.billed_commands, 3, "the place is written once");
    night
        .database
        .batch_execute("DROP FUNCTION gate CASCADE; ALTER TABLE behind RENAME TO \"CrawlResult\"")
        .await
        .unwrap();
    let report = night.tick().await;
    assert_eq!((report.stopped_because, report.pages), (StoppedBecause::Done, 2), "{report:?}");
    assert_eq!((report.enqueued, night.bookmark().await), (1, None));
}

#[tokio::test]
async fn a_deadline_behind_fresh_projects_does_not_send_it_back() {
    let night = Night::new().await;
    night.fresh().await;
    night.close("p01999x00001").await;
    let late = night.tick_for(Duration::from_secs(8)).await;
    assert_eq!((late.stopped_because, late.pages), (StoppedBecause::Deadline, 3), "{late:?}");
    assert_eq!(late.billed_commands, 3, "the place is written once");
    night.open().await;
    let report = night.tick().await;
    assert_eq!((report.stopped_because, report.pages), (StoppedBecause::Done, 2), "{report:?}");
    assert_eq!((report.enqueued, night.bookmark().await), (1, None));
}

/// As where a host ends statements that take too long, and these projects have very many rows.
#[tokio::test]
async fn what_is_too_much_for_one_page_is_looked_at_in_smaller_ones() {
    let night = Night::new().await;
    let (hour, day) = (ago("1 hour"), ago("1 day"));
    night.projects("p", 1_000, &hour, "NULL::timestamp", "NULL::timestamp").await;
    night.projects("p00600x", 10, &day, &hour, "NULL::timestamp").await;
    night.projects("q", 1, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    let three = "PERFORM set_config('gate.n', current_setting('gate.n', true) || 'I', true); \
                 IF current_setting('gate.n') LIKE '%III' THEN RAISE 'slow' USING ERRCODE = '57014'; END IF";
    night.gate("p00600x%", three).await;
    let report = night.tick().await;
    assert_eq!((report.stopped_because, report.enqueued), (StoppedBecause::Done, 11), "{report:?}");
}

/// The drain tells what is wrong with it, and the projects behind it are reached.
#[tokio::test]
async fn a_project_that_cannot_be_looked_at_is_enqueued() {
    let night = Night::new().await;
    night.fresh().await;
    night.gate("p01999x00001", "RAISE 'damaged' USING ERRCODE = 'XX001'").await;
    night.projects("q", 1, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    let report = night.tick().await;
    assert_eq!((report.stopped_because, report.enqueued), (StoppedBecause::Done, 2), "{report:?}");
}

#[tokio::test]
async fn a_night_covers_all_projects_wherever_the_last_one_stopped() {
    let hours = |n: i64| Clock::System.now_ms() - n * 60 * 60 * 1_000;
    let round = |began_ms| {
        format!(r#"{{"beganMs":{began_ms},"beganBehind":null,"place":"p00700","turned":false}}"#)
    };
    let begun_in_the_middle =
        format!(r#"{{"beganMs":{},"beganBehind":"p00700","place":null,"turned":true}}"#, hours(1));
    for (name, kept, enqueued) in [
        ("same-night", round(hours(1)), 500),
        ("turned", begun_in_the_middle, 700),
        ("last-night", round(hours(24)), 1_200),
        ("no-night", "p00700".to_owned(), 1_200),
    ] {
        let night = Night::new().await;
        night.projects("p", 1_200, "NULL", "NULL::timestamp", "NULL::timestamp").await;
        night.queue.keep_bookmark("cron-cursor", Some(&kept)).await.unwrap();
        let report = night.tick().await;
        assert_eq!(
            (report.stopped_because, report.enqueued),
            (StoppedBecause::Done, enqueued),
            "{name}"
        );
        assert_eq!((report.deduplicated, night.bookmark().await), (0, None), "{name}");
    }
}

/// Otherwise a queue that is full every night would never get to the projects at the end.
#[tokio::test]
async fn a_night_begins_where_the_last_one_stopped_and_ends_there() {
    let mut night = Night::new().await;
    night.projects("p", 1_200, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.set("CRON_MAX_WAITING", "700");
    assert_eq!(night.tick().await.stopped_because, StoppedBecause::HighWater);
    let mut kept: serde_json::Value =
        serde_json::from_str(&night.bookmark().await.unwrap()).unwrap();
    assert_eq!(kept["place"], "p00700");
    kept["beganMs"] = (kept["beganMs"].as_i64().unwrap() - 24 * 60 * 60 * 1_000).into();
    night.queue.keep_bookmark("cron-cursor", Some(&kept.to_string())).await.unwrap();
    // Nothing of the first night was done, but for this: the jobs of 700 projects are gone.
    night.queue.pause().await.unwrap();
    night.queue.obliterate(true).await.unwrap();
    night.queue.resume().await.unwrap();
    let full = night.tick().await;
    assert_eq!((full.stopped_because, full.enqueued), (StoppedBecause::HighWater, 700));
    kept = serde_json::from_str(&night.bookmark().await.unwrap()).unwrap();
    assert_eq!(
        (&kept["beganBehind"], &kept["place"], &kept["turned"]),
        (&"p00700".into(), &"p00200".into(), &true.into())
    );
    night.queue.claim(shared::queue::ClaimRequest::everywhere(700)).await.unwrap();
    let rest = night.tick().await;
    assert_eq!((rest.stopped_because, rest.enqueued), (StoppedBecause::Done, 500));
}

#[tokio::test]
async fn little_room_bounds_the_jobs_of_a_page_and_not_the_projects() {
    let mut night = Night::new().await;
    night.projects("p", 1_000, &ago("1 hour"), "NULL::timestamp", "NULL::timestamp").await;
    night.projects("q", 5, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.set("CRON_MAX_WAITING", "10");
    let report = night.tick().await;
    assert_eq!((report.stopped_because, report.enqueued), (StoppedBecause::Done, 5));
    assert_eq!(report.pages, 3);
    // Nor does it go on one job at a time, where most of what is stale waits already.
    night.set("CRON_MAX_WAITING", "6");
    let full = night.tick().await;
    assert_eq!((full.stopped_because, full.enqueued), (StoppedBecause::HighWater, 0));
    assert_eq!((full.pages, full.deduplicated), (3, 1));
}

#[tokio::test]
async fn what_is_drained_meanwhile_makes_room() {
    let mut night = Night::new().await;
    night.projects("p", 1_200, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.projects("p00600x", 1, &ago("1 day"), &ago("1 hour"), "NULL::timestamp").await;
    night.close("p00600x00001").await;
    night.set("CRON_MAX_WAITING", "700");
    let drained = async {
        night.is_waited_at().await;
        // Should the tick be killed, the next one does not ask for all this again.
        assert!(night.bookmark().await.unwrap().contains(r#""place":"p00500""#));
        let queue = &*night.queue;
        let claim = queue.claim(shared::queue::ClaimRequest::everywhere(500)).await.unwrap();
        assert_eq!(claim.jobs.len(), 500);
        night.open().await;
    };
    let (report, ()) = tokio::join!(night.tick(), drained);
    // 500, then 200 up to the mark, and then there is room for 500 more; that was one too few.
    assert_eq!((report.stopped_because, report.enqueued), (StoppedBecause::HighWater, 1_200));
    assert_eq!(night.counts().await.prioritized, 700);
}

#[tokio::test]
async fn a_database_that_is_down_is_an_error_that_names_no_secret() {
    let mut night = Night::new().await;
    night.set("DATABASE_URL", "postgres://u:secret@127.0.0.1:1/none");
    let report = night.tick().await;
    assert_eq!(report.stopped_because, StoppedBecause::Error);
    assert!(!report.error.unwrap().contains("secret"));
}

#[tokio::test]
async fn a_night_wakes_the_drain_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (tell, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async move || tell.send(()).unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    let mut night = Night::new().await;
    night.projects("p", 1_200, "NULL", "NULL::timestamp", "NULL::timestamp").await;
    night.set("DRAIN_WAKE_URL", &url);
    let report = night.tick().await;
    assert_eq!((report.pages, report.enqueued), (3, 1_200));
    asked.try_recv().expect("a wake-up before the tick ends");
    assert!(asked.try_recv().is_err(), "two wake-ups");
    night.set("CRON_SCOPE", "all");
    assert_eq!(night.tick().await.deduplicated, 1_200);
    assert!(asked.try_recv().is_err(), "nothing new waits");
}
