//! Who may do what.

use reqwest::Method;

use crate::world::{Answer, World, assert_error, token};

const READS: [&str; 4] = [
    "/projects/p1/deo-score",
    "/projects/p1/deo-score/history",
    "/projects/p1/deo-score/series",
    "/projects/p1/deo-signals/debug",
];
const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";

/// Every route that takes a token.
const GUARDED: [(&str, &str); 11] = [
    ("GET", "/fleet"),
    ("GET", "/fleet/movers"),
    ("GET", "/projects/p1/deo-score"),
    ("GET", "/projects/p1/deo-score/history"),
    ("GET", "/projects/p1/deo-score/series"),
    ("GET", "/projects/p1/deo-score/compare"),
    ("GET", "/projects/p1/deo-signals/debug"),
    ("POST", RECOMPUTE),
    ("POST", "/deo-score/recompute"),
    ("GET", "/jobs/1"),
    ("GET", "/queue"),
];

fn unauthorized(answer: &Answer, path: &str) {
    assert_error(answer, 401, "UnauthorizedException", "Unauthorized", path);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn nobody_gets_past_a_guarded_route() {
    let world = World::start().await;
    let valid = token("owner");
    let unknown = token("nobody");
    let (unsigned, _) = valid.rsplit_once('.').unwrap();
    let refused = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some(format!("Basic {valid}")),
        Some(valid.clone()),
        Some(format!("Bearer {unsigned}.")),
        Some(format!("Bearer {valid}x")),
        Some(format!("Bearer {unknown}")),
    ];
    for (method, path) in GUARDED {
        let method: Method = method.parse().unwrap();
        for value in &refused {
            let headers: Vec<_> = value.iter().map(|v| ("Authorization", v.as_str())).collect();
            let answer = world.send(method.clone(), "", path, &headers, "").await;
            unauthorized(&answer, path);
        }
        let answer = world.send(method, "owner", path, &[], "").await;
        assert_ne!(answer.status, 401, "{path}");
    }
}

#[tokio::test]
async fn the_401_of_an_unknown_user_comes_before_all_else() {
    let world = World::start().await;
    for (path, body) in [
        (RECOMPUTE, "{"),
        ("/deo-score/recompute", "[]"),
        ("/projects/%00/deo-score/recompute", ""),
        ("/projects/unknown/deo-score/recompute", ""),
        ("/projects/q1/deo-score/recompute", ""),
    ] {
        unauthorized(&world.post("nobody", path, body).await, path);
    }
    for path in ["/projects/p1/deo-score/history?limit=0", "/jobs/1", "/queue"] {
        unauthorized(&world.get("nobody", path).await, path);
    }
}

#[tokio::test]
async fn a_user_that_is_removed_is_out_at_once() {
    let world = World::start().await;
    assert_eq!(world.get("other", "/projects/q1/deo-score").await.status, 200);
    world.database.execute(r#"DELETE FROM "User" WHERE id = 'other'"#, &[]).await.unwrap();
    let path = "/projects/q1/deo-score";
    unauthorized(&world.get("other", path).await, path);
}

#[tokio::test]
async fn an_unknown_project_is_not_found_and_a_strangers_is_forbidden() {
    let world = World::start().await;
    let paths = |id: &str| -> Vec<(Method, String)> {
        READS
            .iter()
            .map(|path| (Method::GET, path.replace("p1", id)))
            .chain([(Method::POST, RECOMPUTE.replace("p1", id))])
            .collect()
    };
    for (method, path) in paths("unknown") {
        let answer = world.send(method, "owner", &path, &[], "").await;
        assert_error(&answer, 404, "NotFoundException", "Project not found", &path);
    }
    for (method, path) in paths("q1") {
        let answer = world.send(method, "owner", &path, &[], "").await;
        let message = "You do not have access to this project";
        assert_error(&answer, 403, "ForbiddenException", message, &path);
    }
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn members_read_and_editors_recompute() {
    let world = World::start().await;
    // The first answer is given before the table exists: it must be noticed when it comes.
    assert_eq!(world.get("viewer", READS[0]).await.status, 403);
    world
        .database
        .batch_execute(
            r#"CREATE TYPE "ProjectRole" AS ENUM ('OWNER', 'EDITOR', 'VIEWER');
            CREATE TABLE "ProjectMember" ("projectId" text, "userId" text, role "ProjectRole");
            INSERT INTO "ProjectMember" VALUES
                ('p1', 'viewer', 'VIEWER'), ('p1', 'editor', 'EDITOR'), ('p1', 'admin', 'OWNER')"#,
        )
        .await
        .unwrap();
    for user in ["owner", "viewer", "editor", "admin", "other"] {
        let expected = if user == "other" { 403 } else { 200 };
        for path in READS {
            assert_eq!(world.get(user, path).await.status, expected, "{user} {path}");
        }
        let expected = if matches!(user, "other" | "viewer") { 403 } else { 201 };
        assert_eq!(world.post(user, RECOMPUTE, "").await.status, expected, "{user}");
        let other_project = world.get(user, "/projects/q1/deo-score").await.status;
        assert_eq!(other_project, if user == "other" { 200 } else { 403 }, "{user}");
    }
}

#[tokio::test]
async fn health_and_the_description_ask_for_nobody() {
    let world = World::start().await;
    for path in ["/health", "/openapi.json"] {
        assert_eq!(world.get("", path).await.status, 200);
    }
}
