//! Walking over projects.

use shared::config::Scope;

use super::Bench;

/// All ids of a walk in pages of `limit`, and how many pages it took.
async fn walk(bench: &Bench, scope: Scope, limit: u32) -> (Vec<String>, u32) {
    let (mut ids, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = bench.store.projects_page(scope, after.as_deref(), limit, 7).await.unwrap();
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
    let ids =
        async |days| bench.store.projects_page(Scope::Stale, None, 9, days).await.unwrap().ids;
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
