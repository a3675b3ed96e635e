//! Walking over projects.

use shared::config::Scope;
use shared::store::{ProjectPage, Stretch};

use super::{Bench, NOON};

const DAY: i64 = 86_400_000;

/// The next page of a walk that looks at so many projects a page.
async fn page(bench: &Bench, scope: Scope, after: Option<&str>, look_at: u32) -> ProjectPage {
    let stretch = Stretch { after, until: None, look_at, take: u32::MAX };
    bench.store.projects_page(scope, stretch, NOON, 7).await.unwrap()
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
async fn stale_is_what_was_never_scored_is_old_or_has_newer_rows() {
    let bench = Bench::new().await;
    bench.empty_projects(&["fresh", "never", "new-page", "new-product", "old", "old-rows"]).await;
    bench
        .sql
        .run(
            r#"UPDATE "Project" SET "currentDeoScore" = 50, "currentDeoScoreComputedAt" =
                timestamp '2026-03-01 12:00' - CASE id WHEN 'old' THEN interval '7 days 1 millisecond'
                    WHEN 'fresh' THEN interval '7 days' ELSE interval '1 hour' END WHERE id <> 'never';
            INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "scannedAt") VALUES
                ('1', 'new-page', '/', 200, '[]', '2026-02-01'),
                ('2', 'new-page', '/', 200, '[]', '2026-03-01 11:30'),
                ('3', 'old-rows', '/', 200, '[]', '2026-02-01');
            INSERT INTO "Product" (id, "projectId", "externalId", title, "lastSyncedAt") VALUES
                ('1', 'new-product', '', '', '2026-03-01 11:00:00.001'),
                ('2', 'old-rows', '', '', '2026-03-01 11:00')"#,
        )
        .await;
    // A page may hold no stale project and yet not be the last.
    assert_eq!(
        walk(&bench, Scope::Stale, 1).await,
        (["never", "new-page", "new-product", "old"].map(str::to_owned).into(), 7)
    );
    let first = Stretch { after: None, until: None, look_at: 1, take: 1 };
    let page = |now, days| bench.store.projects_page(Scope::Stale, first, now, days);
    assert_eq!(page(NOON + 1, 7).await.unwrap().ids, ["fresh"]);
    assert_eq!(page(NOON + 70 * DAY, u32::MAX).await.unwrap().ids.len(), 0);
    assert_eq!(page(i64::MIN, 7).await.unwrap().ids.len(), 0);
}

#[tokio::test]
async fn a_page_ends_where_it_has_taken_enough_and_a_stretch_with_its_last_project() {
    let bench = Bench::new().await;
    bench.empty_projects(&["a", "b", "c", "d", "e", "f"]).await;
    let scored = r#"UPDATE "Project" SET "currentDeoScore" = 50,
                    "currentDeoScoreComputedAt" = timestamp '2026-03-01 11:00' WHERE id IN ('a', 'c', 'f')"#;
    bench.sql.run(scored).await;
    let page = async |after, until, look_at, take| {
        let stretch = Stretch { after, until, look_at, take };
        let page = bench.store.projects_page(Scope::Stale, stretch, NOON, 7).await.unwrap();
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
    let all = bench.store.projects_page(Scope::All, stretch, NOON, 7).await.unwrap();
    assert_eq!((all.ids.join(" "), all.next.as_deref()), ("b c".to_owned(), Some("c")));
}
