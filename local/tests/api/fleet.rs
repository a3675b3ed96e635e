//! All projects at once, for administrators.

use serde_json::{Value, json};

use crate::world::{World, assert_error};

/// 250 projects `f000`, `f001`, … beside those of [`fixture::PEOPLE`], which never had a score: the `n`th has the
/// score `n % 101`, computed now, and had `n % 7` less ten days ago.
async fn projects(world: &World) {
    let sql = r#"WITH made AS (
            INSERT INTO "Project" (id, "userId", name, "currentDeoScore", "currentDeoScoreComputedAt")
            SELECT 'f' || lpad(n::text, 3, '0'), 'owner', 'x', n % 101, now() AT TIME ZONE 'UTC'
            FROM generate_series(0, 249) n)
        INSERT INTO "DeoScoreSnapshot" (id, "projectId", "overallScore", "computedAt", "updatedAt")
        SELECT format('%s-%s', n, d), 'f' || lpad(n::text, 3, '0'),
            n % 101 - CASE WHEN d > 0 THEN n % 7 ELSE 0 END,
            now() AT TIME ZONE 'UTC' - d * interval '1 day', now()
        FROM generate_series(0, 249) n, (VALUES (0), (10)) v (d)"#;
    world.database.batch_execute(sql).await.unwrap();
}

/// Every project of a list, page by page.
async fn whole(world: &World, list: &str, query: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let answer = world.get("admin", &format!("/fleet/{list}?{query}{after}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page = answer.json();
        found.extend(page["projects"].as_array().unwrap().iter().cloned());
        assert!(found.len() < 1_000, "the pages go round");
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

fn ids(projects: &[Value]) -> Vec<&str> {
    projects.iter().map(|project| project["projectId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_fleet_is_an_administrator_s() {
    let world = World::start().await;
    for path in ["/fleet", "/fleet/movers", "/fleet/failing"] {
        let answer = world.get("owner", path).await;
        assert_error(&answer, 403, "ForbiddenException", "Forbidden resource", path);
        assert_eq!(world.get("admin", path).await.status, 200);
    }
    // Its one page has no size, and no list is called as it.
    assert_eq!(world.get("admin", "/fleet?limit=0").await.status, 200);
    assert_eq!(world.get("admin", "/fleet/fleet").await.status, 404);
    let long = format!("/fleet/failing?after=1_{}", "x".repeat(500));
    assert_eq!(world.get("admin", &long).await.status, 200, "BullMQ bounds no id");
    let path = "/fleet/best";
    let answer = world.get("admin", path).await;
    assert_error(&answer, 404, "NotFoundException", "There is no such list", path);
    let after = "after must be the next of an earlier page";
    for (path, message) in [
        ("/fleet/movers?limit=101", "limit must be a number from 1 to 100"),
        ("/fleet/movers?after=p1", after),
        ("/fleet/failing?after=x_1", after),
        ("/fleet/stale?after=", after),
        (
            "/fleet/movers?from=then",
            "from and to must be times such as 2026-01-31 or 2026-01-31T12:00:00.000Z",
        ),
    ] {
        let answer = world.get("admin", path).await;
        assert_error(&answer, 400, "BadRequestException", message, path);
    }
}

#[tokio::test]
async fn scores_are_counted_and_lists_are_paged_by_key() {
    let world = World::start().await;
    projects(&world).await;
    let fleet = world.get("admin", "/fleet").await.json();
    // 0 to 100 twice, and 0 to 47 once more.
    let scores = [30, 30, 30, 30, 28, 20, 20, 20, 20, 22];
    assert_eq!(fleet, json!({"projects": 254, "neverScored": 4, "scores": scores}));

    for limit in [1, 3, 4, 100] {
        let never = whole(&world, "never-scored", &format!("limit={limit}")).await;
        assert_eq!(ids(&never), ["p1", "p2", "p3", "q1"], "{limit}");
    }
    let stale = whole(&world, "stale", "limit=3").await;
    assert_eq!(ids(&stale), ["p1", "p2", "p3", "q1"], "whoever has no score is stale");

    for limit in [7, 100] {
        let movers = whole(&world, "movers", &format!("limit={limit}")).await;
        // One of seven did not move.
        assert_eq!(movers.len(), 214, "{limit}");
        let moves: Vec<(i64, &str)> = movers
            .iter()
            .map(|it| {
                let change = it["to"].as_i64().unwrap() - it["from"].as_i64().unwrap();
                (-change, it["projectId"].as_str().unwrap())
            })
            .collect();
        assert!(moves.is_sorted() && moves[0] == (-6, "f006"), "{:?}", &moves[..9]);
        let once: std::collections::HashSet<&str> = moves.iter().map(|it| it.1).collect();
        assert_eq!(once.len(), 214);
    }
    assert_eq!(whole(&world, "movers", "from=2020-01-01&limit=9").await.len(), 0);
}

#[tokio::test]
async fn a_project_fails_until_it_is_scored_again() {
    let world = World::start().await;
    projects(&world).await;
    let fail = async |project: &str| {
        let path = format!("/projects/{project}/deo-score/recompute");
        assert_eq!(world.post("owner", &path, "").await.status, 201);
        let claim = world.claim().await;
        let how = shared::queue::Settlement::Unrecoverable(format!("no luck with {project}"));
        world.settle(claim, how).await;
    };
    for project in ["p1", "f001", "p2", "f002", "p1", "p3"] {
        fail(project).await;
    }
    for limit in [1, 2, 5, 100] {
        let failing = whole(&world, "failing", &format!("limit={limit}")).await;
        let mut found = ids(&failing);
        assert_eq!(
            (found[0], failing[0]["failedReason"].as_str()),
            ("p3", Some("no luck with p3"))
        );
        // On different pages a project may come twice.
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, ["f001", "f002", "p1", "p2", "p3"], "{limit}");
    }
    let sql = r#"UPDATE "Project" SET "currentDeoScore" = 50,
        "currentDeoScoreComputedAt" = now() AT TIME ZONE 'UTC' WHERE id IN ('p3', 'f001')"#;
    world.database.batch_execute(sql).await.unwrap();
    let failing = whole(&world, "failing", "").await;
    assert_eq!(ids(&failing), ["p1", "f002", "p2"]);
}
