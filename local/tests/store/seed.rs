//! Seeded rows: as many as asked for, the same each time, and worth a score.

use std::collections::BTreeSet;

use shared::config::Secret;
use shared::deo::Score;
use shared::store::{Access, Database};
use tables::seed::{Plan, seed};

use super::{Bench, NOON};

const PLAN: Plan = Plan { projects: 30, pages: 12, products: 9, seed: 7, now_ms: NOON };

async fn plant(bench: &Bench, plan: &Plan) -> tables::seed::Seeded {
    let database = Database::parse(&Secret::new(&*bench.url)).unwrap();
    let mut last = 0;
    let seeded = seed(&database, plan, |done| last = done).await.unwrap();
    assert_eq!(last, plan.projects, "progress ends at the end");
    seeded
}

/// A digest of all rows, but for the order in which they were written.
async fn digest(bench: &Bench) -> String {
    bench
        .sql
        .rows(
            r#"SELECT md5(string_agg(r, '' ORDER BY r COLLATE "C")) FROM (SELECT p::text r FROM "Project" p
                UNION ALL SELECT c::text FROM "CrawlResult" c UNION ALL SELECT d::text FROM "Product" d) x"#,
        )
        .await[0]
        .get(0)
}

#[tokio::test]
async fn the_same_seed_makes_the_same_rows_once() {
    let (one, other) = (Bench::new().await, Bench::new().await);
    let seeded = plant(&one, &PLAN).await;
    assert_eq!((seeded.projects, seeded.pages, seeded.products), (30, 360, 270));
    let again = plant(&one, &Plan { projects: 40, ..PLAN }).await;
    assert_eq!(
        (again.projects, again.pages, again.products),
        (10, 120, 90),
        "only the further ones"
    );
    // Later the same day.
    plant(&other, &Plan { projects: 40, now_ms: NOON + 3_600_000, ..PLAN }).await;
    assert_eq!(digest(&one).await, digest(&other).await);
    plant(&other, &Plan { seed: 8, ..PLAN }).await;
    assert_eq!(other.sql.number(r#"SELECT count(*) FROM "Project""#).await, 70);
}

#[tokio::test]
async fn seeded_projects_score_differently_and_belong_to_the_demo_user() {
    let bench = Bench::new().await;
    let user = plant(&bench, &PLAN).await.user_id;
    let ids: Vec<String> = PLAN.project_ids().collect();
    let projects = bench.store.signals(&ids).await.unwrap();
    assert_eq!(projects.len(), 30);
    let overall = |id: &String| {
        let rows = projects[id].as_ref().unwrap();
        assert_eq!(rows.malformed_rows, 0);
        Score::of(rows.tally.signals(NOON)).v1.overall
    };
    let scores: BTreeSet<u8> = ids.iter().map(overall).collect();
    assert!(
        scores.len() > 10 && scores.last().unwrap() - scores.first().unwrap() > 20,
        "{scores:?}"
    );
    let access = bench.store.access(&user, &ids[0]).await.unwrap();
    assert_eq!(access, Access::Granted);
    assert_eq!(bench.sql.number(r#"SELECT count(*) FROM "DeoScoreSnapshot""#).await, 0);
}
