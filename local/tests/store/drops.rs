//! The outbox of drops: an event for each fall, whatever is stored twice, late or at the same time.

use std::collections::HashSet;
use std::time::Duration;

use fixture::database_proxy::through_proxy;
use shared::config::Secret;
use shared::store::{Database, DropEnd, ErrorKind, NewSnapshot, Saved, Store};
use tables::migrations::migrate;

use super::save::snapshot;
use super::{Bench, NOON};

const LIMIT: Duration = Duration::from_secs(10);

/// A store that tells of falls by ten points or more.
fn telling(url: &str) -> Store {
    Store::announcing_drops(Database::parse(&Secret::new(url)).unwrap(), 1, Some(10))
}

async fn save(store: &Store, snapshots: &[NewSnapshot]) {
    let saved = store.save(snapshots).await.unwrap();
    assert!(saved.iter().all(|fate| matches!(fate, Saved::Stored { .. })), "{saved:?}");
}

/// `snapshot:project:from>to@milliseconds after noon` of each event.
async fn events(bench: &Bench) -> Vec<String> {
    let rows = bench
        .sql
        .rows(
            "SELECT format('%s:%s:%s>%s@%s', snapshot_id, project_id, from_score, to_score,
                (extract(epoch FROM read_at - timestamp '2026-03-01 12:00') * 1000)::int8)
            FROM deo.score_drop WHERE platform = 'public' ORDER BY read_at, snapshot_id",
        )
        .await;
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_fall_by_as_many_points_leaves_an_event_and_nothing_else_does() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = telling(&url);
    for (id, project, after, overall) in [
        ("first", "p", 0, 5),
        ("rise", "p", 1_000, 80),
        ("other", "q", 1_000, 70),
        ("nine", "p", 2_000, 71),
        ("ten", "p", 3_000, 61),
        ("same", "p", 4_000, 61),
        ("all", "p", 5_000, 0),
    ] {
        save(&store, &[snapshot(id, project, NOON + after, overall)]).await;
        assert_eq!(watch.statements(), 1, "the event is written with the snapshot");
    }
    assert_eq!(events(&bench).await, ["ten:p:71>61@3000", "all:p:61>0@5000"]);
    assert!(watch.named.lock().unwrap().iter().all(String::is_empty));
}

#[tokio::test]
async fn a_late_older_read_leaves_none_and_moves_nothing_that_others_are_measured_against() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    let store = telling(&bench.url);
    save(&store, &[snapshot("new", "p", NOON + 2_000, 80)]).await;
    save(&store, &[snapshot("late", "p", NOON + 1_000, 20)]).await;
    save(&store, &[snapshot("tied", "p", NOON + 2_000, 20)]).await;
    assert_eq!(events(&bench).await, [""; 0]);
    save(&store, &[snapshot("next", "p", NOON + 3_000, 65)]).await;
    assert_eq!(events(&bench).await, ["next:p:80>65@3000"]);
}

#[tokio::test]
async fn a_job_has_one_event_however_often_its_snapshot_is_stored() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = telling(&url);
    save(&store, &[snapshot("before", "p", NOON, 80)]).await;
    // The answer is lost, and the statement sent once more over another connection.
    watch.cuts.store(1, std::sync::atomic::Ordering::SeqCst);
    save(&store, &[snapshot("job", "p", NOON + 1_000, 60)]).await;
    assert_eq!(watch.connections.load(std::sync::atomic::Ordering::SeqCst), 2);
    // The job runs once more, and finds the same, and less still.
    save(&store, &[snapshot("job", "p", NOON + 1_000, 60)]).await;
    save(&store, &[snapshot("job", "p", NOON + 2_000, 60)]).await;
    save(&store, &[snapshot("job", "p", NOON + 3_000, 30)]).await;
    assert_eq!(events(&bench).await, ["job:p:80>60@1000"]);
    // Jobs of one project that share a read share the event, of the one that its score comes from.
    let both = ["a", "b"].map(|id| snapshot(id, "p", NOON + 4_000, 10));
    save(&store, &both).await;
    assert_eq!(events(&bench).await[1..], ["b:p:30>10@4000"]);
}

#[tokio::test]
async fn an_event_is_stored_with_its_snapshot_or_not_at_all() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    let store = telling(&bench.url);
    save(&store, &[snapshot("before", "p", NOON, 80)]).await;
    bench
        .sql
        .run("ALTER TABLE deo.score_drop ADD CONSTRAINT no_more CHECK (to_score > 50) NOT VALID")
        .await;
    let job = snapshot("job", "p", NOON + 1_000, 40);
    let saved = store.save(std::slice::from_ref(&job)).await;
    assert!(matches!(saved.as_deref(), Ok([Saved::Failed(_)])), "{saved:?}");
    let stored = r#"SELECT count(*) FROM "DeoScoreSnapshot" WHERE id = 'job'"#;
    assert_eq!(bench.sql.number(stored).await, 0);
    bench.sql.run("ALTER TABLE deo.score_drop DROP CONSTRAINT no_more").await;
    save(&store, &[job]).await;
    assert_eq!(events(&bench).await, ["job:p:80>40@1000"]);
}

#[tokio::test]
async fn of_falls_that_are_stored_at_once_each_has_one_event_and_they_make_a_chain() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    save(&telling(&bench.url), &[snapshot("before", "p", NOON, 100)]).await;
    // Each of eight jobs by two drains at once.
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let (store, job) = (telling(&bench.url), n / 2 + 1);
            let read = NOON + i64::from(job) * 1_000;
            let job = snapshot(&format!("job-{job}"), "p", read, 100 - 12 * job);
            tokio::spawn(async move { save(&store, &[job]).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // Which of them were late is chance: what is told joins, from the first score to the last.
    let mut score = "100".to_owned();
    let mut jobs = HashSet::new();
    for event in events(&bench).await {
        let (job, moved) = event.split_once(":p:").unwrap();
        let (from, to) = moved.split_once('@').unwrap().0.split_once('>').unwrap();
        assert_eq!(from, score, "{event}");
        assert!(jobs.insert(job.to_owned()), "{event}");
        score = to.to_owned();
    }
    assert_eq!(score, "4");
}

/// So many events, of one project.
async fn falls(bench: &Bench, n: i32) {
    bench.empty_projects(&["p"]).await;
    let store = telling(&bench.url);
    for step in 0..=n {
        let id = format!("job-{step:02}");
        save(&store, &[snapshot(&id, "p", NOON + i64::from(step), 1_000 - 10 * step)]).await;
    }
}

#[tokio::test]
async fn no_two_claims_have_the_same_event() {
    let bench = Bench::new().await;
    falls(&bench, 30).await;
    let claims: Vec<_> = (0..4)
        .map(|_| {
            let store = telling(&bench.url);
            tokio::spawn(async move { store.claim_drops(10, LIMIT).await.unwrap() })
        })
        .collect();
    let mut ids = HashSet::new();
    for claim in claims {
        let due = claim.await.unwrap();
        assert!(due.claimed.len() <= 10 && due.given_up == 0);
        for drop in due.claimed {
            assert!(ids.insert(drop.snapshot_id.clone()), "{drop:?}");
        }
    }
    // One that came upon rows that another was at may have passed over them.
    for drop in bench.store.claim_drops(30, LIMIT).await.unwrap().claimed {
        assert!(ids.insert(drop.snapshot_id));
    }
    assert_eq!(ids.len(), 30);
}

#[tokio::test]
async fn what_is_not_ended_is_due_again_ever_later_until_a_day_has_passed() {
    let bench = Bench::new().await;
    falls(&bench, 2).await;
    let claim = async || bench.store.claim_drops(10, LIMIT).await.unwrap();
    let due = claim().await.claimed;
    let told: Vec<_> = due.iter().map(|it| (&*it.snapshot_id, it.from, it.to)).collect();
    assert_eq!(told, [("job-01", 1_000, 990), ("job-02", 990, 980)]);
    assert_eq!((&*due[0].project_id, &*due[0].read_at), ("p", "2026-03-01T12:00:00.001Z"));
    bench.store.end_drops(&[("job-01", DropEnd::Delivered)], LIMIT).await.unwrap();
    assert_eq!(claim().await.claimed, [], "it is somebody's already");
    let wait = "SELECT round(extract(epoch FROM due_at - now() AT TIME ZONE 'UTC'))::int8
        FROM deo.score_drop WHERE ended_at IS NULL";
    for seconds in [60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
        bench
            .sql
            .run(
                "UPDATE deo.score_drop SET due_at = now() AT TIME ZONE 'UTC' - interval '1 second'",
            )
            .await;
        assert_eq!(claim().await.claimed.len(), 1);
        let wait = bench.sql.number(wait).await;
        assert!((seconds - 10..=seconds).contains(&wait), "{wait} for {seconds}");
    }
    // It was tried after its day, or shortly before the end, and is due once more.
    bench.sql.run("UPDATE deo.score_drop SET created_at = created_at - interval '25 hours'").await;
    let due = claim().await;
    assert_eq!((due.claimed.len(), due.given_up), (0, 0), "somebody may be at it");
    bench.sql.run("UPDATE deo.score_drop SET due_at = due_at - interval '1 hour'").await;
    let due = claim().await;
    assert_eq!((due.claimed.len(), due.given_up), (0, 1));
    assert_eq!(claim().await.given_up, 0, "it is told once");
    let ends = "SELECT string_agg(outcome, ',' ORDER BY snapshot_id) FROM deo.score_drop";
    let ends = async || bench.sql.rows(ends).await[0].get::<_, Option<String>>(0);
    assert_eq!(ends().await.unwrap(), "delivered,given up");
    // What is over stays for a week.
    bench.sql.run("UPDATE deo.score_drop SET ended_at = ended_at - interval '6 days'").await;
    claim().await;
    assert_eq!(ends().await.unwrap(), "delivered,given up");
    bench.sql.run("UPDATE deo.score_drop SET ended_at = ended_at - interval '2 days'").await;
    claim().await;
    assert_eq!(ends().await, None);
}

/// Somebody may look only once a night, and a little later than the night before.
#[tokio::test]
async fn nothing_is_given_up_before_a_last_try_after_its_day_for_a_week() {
    let bench = Bench::new().await;
    falls(&bench, 2).await;
    let claim = async || {
        let due = bench.store.claim_drops(1, LIMIT).await.unwrap();
        (due.claimed.first().map(|it| it.snapshot_id.clone()), due.given_up)
    };
    let later = async |time: &str| {
        let later = format!(
            "UPDATE deo.score_drop SET due_at = due_at - interval '{time}',
                created_at = created_at - interval '{time}'"
        );
        bench.sql.run(&later).await;
    };
    let first = Some("job-01".to_owned());
    assert_eq!(claim().await, (first.clone(), 0));
    later("6 days").await;
    // One that there was no time left to send keeps its try.
    for _ in 0..2 {
        let last = claim().await;
        assert_eq!(last, (Some("job-02".to_owned()), 0), "it was never claimed");
        bench.store.return_drops(&["job-02"], LIMIT).await.unwrap();
        bench.sql.run("UPDATE deo.score_drop SET due_at = due_at - interval '7 days' WHERE snapshot_id = 'job-02'").await;
    }
    assert_eq!(claim().await, (Some("job-02".to_owned()), 0));
    assert_eq!(claim().await, (first, 0));
    assert_eq!(claim().await, (None, 0));
    later("1 hour").await;
    assert_eq!(claim().await, (None, 2));
    // Nobody has looked for very long: nobody is told what no longer is.
    bench
        .sql
        .run("UPDATE deo.score_drop SET ended_at = NULL, outcome = NULL, due_at = created_at")
        .await;
    later("2 days").await;
    assert_eq!(claim().await, (None, 2));
}

#[tokio::test]
async fn a_role_s_search_path_does_not_part_it_from_the_drops_of_others() {
    let bench = Bench::new().await;
    falls(&bench, 1).await;
    let name = bench.url.rsplit('/').next().unwrap();
    let path = format!("CREATE SCHEMA app; ALTER DATABASE {name} SET search_path = app, public");
    bench.sql.run(&path).await;
    let store = telling(&bench.url);
    save(&store, &[snapshot("other", "p", NOON + 5_000, 7)]).await;
    assert_eq!(events(&bench).await, ["job-01:p:1000>990@1", "other:p:990>7@5000"]);
    let due = store.claim_drops(10, LIMIT).await.unwrap().claimed;
    assert_eq!(due.len(), 2);
    store.end_drops(&[("job-01", DropEnd::Delivered)], LIMIT).await.unwrap();
    store.return_drops(&["other"], LIMIT).await.unwrap();
    let due = bench.store.claim_drops(10, LIMIT).await.unwrap().claimed;
    assert_eq!((due.len(), &*due[0].snapshot_id), (1, "other"));
}

#[tokio::test]
async fn who_tells_of_no_drops_needs_no_table_of_them_and_who_does_is_told_how_to_make_it() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p"]).await;
    bench.sql.run("DROP TABLE deo.score_drop").await;
    save(&bench.store, &[snapshot("a", "p", NOON, 80)]).await;
    save(&bench.store, &[snapshot("b", "p", NOON + 1_000, 20)]).await;
    bench.store.ping().await.unwrap();
    let store = telling(&bench.url);
    let asked = store.save(&[snapshot("c", "p", NOON + 2_000, 0)]).await.map(drop);
    for answer in [asked, store.ping().await] {
        let error = answer.unwrap_err();
        // No job is to blame, so that all go back.
        assert_eq!((error.kind(), error.is_unavailable()), (ErrorKind::Configuration, true));
        assert!(
            error.to_string().contains("deo.score_drop")
                && error.to_string().contains("deo migrate")
        );
    }
}

#[tokio::test]
async fn platforms_in_one_database_have_events_of_their_own() {
    let bench = Bench::new().await;
    falls(&bench, 1).await;
    let url = format!("{}?schema=my-shop", bench.url);
    migrate(&Database::parse(&Secret::new(&*url)).unwrap(), false).await.unwrap();
    bench
        .sql
        .run(
            r#"INSERT INTO "my-shop"."User" VALUES ('ann', 'ann@example.com', '', NULL, 'USER', now(), now());
            INSERT INTO "my-shop"."Project" (id, "userId", name, "currentDeoScore")
                VALUES ('p', 'ann', 'p', 100)"#,
        )
        .await;
    let shop = telling(&url);
    // The same id, as from another queue that is called the same.
    save(&shop, &[snapshot("job-01", "p", NOON + 5_000, 7)]).await;
    let due = shop.claim_drops(10, LIMIT).await.unwrap().claimed;
    assert_eq!((due.len(), due[0].to), (1, 7));
    shop.end_drops(&[("job-01", DropEnd::GivenUp)], LIMIT).await.unwrap();
    let due = bench.store.claim_drops(10, LIMIT).await.unwrap().claimed;
    assert_eq!((due.len(), due[0].to), (1, 990));
}
