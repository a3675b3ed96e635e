//! Walking over projects.

use shared::config::Scope;
use shared::store::{ProjectPage, Stretch};

use super::Bench;

/// The next page of a walk that looks at so many projects a page.
async fn page(bench: &Bench, scope: Scope, after: Option<&str>, look_at: u32) -> ProjectPage {
    let stretch = Stretch { after, until: None, look_at, take: u32::MAX };
    bench.store.projects_page(scope, stretch, 7).await.unwrap()
}

/// All ids of a walk in pages of `limit`, and how many pages it took.
async fn walk(bench: &Bench, scope: Scope, limit: u32) -> (Vec<String>, u32) {
    let (mut ids, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = page(bench, scope, after.as_deref(), limit).await;
        ids.extend(page.ids);
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (ids, pages);
        }
    }
}

#[tokio::test]
async fn a_walk_sees_every_project_once_whatever_the_pages() {
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    bench.empty_projects(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (limit, pages) in [(1, 11), (3, 4), (10, 2), (11, 1)] {
        assert_eq!(walk(&bench, Scope::All, limit).await, (ids.clone(), pages), "{limit} a page");
        assert_eq!(walk(&bench, Scope::Stale, limit).await, (ids.clone(), pages), "{limit} a page");
    }
}

#[tokio::test]
async fn which_projects_there_are_is_one_question() {
    let bench = Bench::new().await;
    bench.empty_projects(&["p1", "p2"]).await;
    let asked = ["p2", "nosuch", "p1", "p2", "", "no\0id"];
    let found = bench.store.existing_projects(&asked).await.unwrap();
    assert_eq!(found, ["p1", "p2"].map(str::to_owned).into());
}

#[tokio::test]
async fn stale_is_what_was_never_scored_is_old_or_may_have_newer_rows() {
    let bench = Bench::new().await;
    let scored = ["fresh", "old", "ancient", "none"];
    bench.empty_projects(&[&scored[..], &["never"]].concat()).await;
    bench
        .sql
        .run(
            r#"UPDATE "Project" SET "currentDeoScore" = 50, "currentDeoScoreComputedAt" =
                CASE id WHEN 'ancient' THEN timestamp '0001-01-01'
                    WHEN 'old' THEN now() AT TIME ZONE 'UTC' - interval '7 days 1 millisecond'
                    WHEN 'fresh' THEN now() AT TIME ZONE 'UTC' - interval '6 days 23 hours'
                    ELSE now() AT TIME ZONE 'UTC' END WHERE id <> 'never'"#,
        )
        .await;
    // A page may hold no stale project and yet not be the last.
    let stale = ["ancient", "never", "old"].map(str::to_owned);
    assert_eq!(walk(&bench, Scope::Stale, 1).await, (stale.into(), 6));
    let all = Stretch { after: None, until: None, look_at: 9, take: 9 };
    let ids = async |days| bench.store.projects_page(Scope::Stale, all, days).await.unwrap().ids;
    assert_eq!(ids(6).await, ["ancient", "fresh", "never", "old"]);
    assert_eq!(ids(3_650).await, ["ancient", "never"]);
    assert_eq!(ids(u32::MAX).await, ["never"]);
}

/// Of scores of an hour ago.
#[tokio::test]
async fn a_row_makes_a_score_stale_from_a_quarter_of_an_hour_before_it_to_the_future() {
    let bench = Bench::new().await;
    let rows = [
        ("-1 day", false),
        ("-75 minutes", false),
        ("-75 minutes 1 millisecond", true),
        ("-1 hour", true),
        ("-1 minute", true),
        ("14 minutes", true),
        ("16 minutes", false),
        ("1 day", false),
        ("70 years", false),
        ("infinity", false),
    ];
    let mut expected = Vec::new();
    for (n, (stamp, stale)) in rows.iter().enumerate() {
        let (page, product) = (format!("page-{n}"), format!("product-{n}"));
        bench.empty_projects(&[&page, &product]).await;
        let stamp = match *stamp {
            "infinity" => "timestamp 'infinity'".to_owned(),
            // Of what is "-75 minutes 1 millisecond", only the minutes are negative.
            stamp => format!("now() AT TIME ZONE 'UTC' + interval '{stamp}'"),
        };
        bench
            .sql
            .run(&format!(
                r#"UPDATE "Project" SET "currentDeoScore" = 50, "currentDeoScoreComputedAt" =
                    now() AT TIME ZONE 'UTC' - interval '1 hour' WHERE id IN ('{page}', '{product}');
                INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "scannedAt")
                    VALUES ('{n}', '{page}', '/', 200, '[]', {stamp});
                INSERT INTO "Product" (id, "projectId", "externalId", title, "lastSyncedAt")
                    VALUES ('{n}', '{product}', '', '', {stamp})"#
            ))
            .await;
        expected.extend([page, product].into_iter().filter(|_| *stale));
    }
    expected.sort_unstable();
    assert_eq!(walk(&bench, Scope::Stale, 100).await.0, expected);
}

#[tokio::test]
async fn a_page_ends_where_it_has_taken_enough_and_a_stretch_with_its_last_project() {
    let bench = Bench::new().await;
    bench.empty_projects(&["a", "b", "c", "d", "e", "f"]).await;
    let scored = r#"UPDATE "Project" SET "currentDeoScore" = 50,
                    "currentDeoScoreComputedAt" = now() AT TIME ZONE 'UTC' WHERE id IN ('a', 'c', 'f')"#;
    bench.sql.run(scored).await;
    let page = async |after, until, look_at, take| {
        let stretch = Stretch { after, until, look_at, take };
        let page = bench.store.projects_page(Scope::Stale, stretch, 7).await.unwrap();
        (page.ids.join(" "), page.next.unwrap_or_default())
    };
    let answer = |ids: &str, next: &str| (ids.to_owned(), next.to_owned());
    assert_eq!(page(None, None, 500, 1).await, answer("b", "b"));
    assert_eq!(page(Some("b"), None, 500, 1).await, answer("d", "d"));
    assert_eq!(page(Some("d"), None, 500, 1).await, answer("e", "e"));
    assert_eq!(page(Some("e"), None, 500, 1).await, answer("", ""));
    assert_eq!(page(Some("b"), None, 2, 9).await, answer("d", "d"));
    assert_eq!(page(None, None, 0, 0).await, answer("", "a"));
    // What lies behind the end of the stretch is not looked at.
    assert_eq!(page(None, Some("d"), 500, 9).await, answer("b d", ""));
    assert_eq!(page(None, Some("d"), 500, 2).await, answer("b d", ""));
    assert_eq!(page(None, Some("dd"), 4, 9).await, answer("b d", "d"));
    assert_eq!(page(Some("d"), Some("d"), 500, 9).await, answer("", ""));
    let stretch = Stretch { after: Some("a"), until: Some("e"), look_at: 3, take: 2 };
    let all = bench.store.projects_page(Scope::All, stretch, 7).await.unwrap();
    assert_eq!((all.ids.join(" "), all.next.as_deref()), ("b c".to_owned(), Some("c")));
}
