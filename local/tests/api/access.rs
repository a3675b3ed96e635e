//! Who may do what.

use reqwest::Method;

use crate::world::{Answer, SECRET, World, assert_error, serve, token};

const READS: [&str; 4] = [
    "/projects/p1/deo-score",
    "/projects/p1/deo-score/history",
    "/projects/p1/deo-score/series",
    "/projects/p1/deo-signals/debug",
];
const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";

/// Every route that takes a token.
const GUARDED: [(&str, &str); 12] = [
    ("GET", "/fleet"),
    ("GET", "/fleet/movers"),
    ("GET", "/projects/p1/deo-score"),
    ("GET", "/projects/p1/deo-score/history"),
    ("GET", "/projects/p1/deo-score/series"),
    ("GET", "/projects/p1/deo-score/compare"),
    ("GET", "/projects/p1/deo-signals/debug"),
    ("POST", RECOMPUTE),
    ("POST", "/projects/p1/deo-score/recompute-sync"),
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
async fn whoever_may_read_may_recompute() {
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
        let expected = if user == "other" { 403 } else { 201 };
        assert_eq!(world.post(user, RECOMPUTE, "").await.status, expected, "{user}");
        let sync = world.post(user, "/projects/p1/deo-score/recompute-sync", "").await.status;
        assert_eq!(sync, expected, "{user}");
        let many = world.post(user, "/deo-score/recompute", r#"{"projectIds": ["p1"]}"#).await;
        assert_eq!(
            many.json()["rejected"].as_array().unwrap().is_empty(),
            expected == 201,
            "{user}"
        );
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

#[tokio::test]
async fn a_header_that_can_be_read_in_two_ways_lets_nobody_in() {
    let world = World::start().await;
    let (good, path) = (token("owner"), "/projects/p1/deo-score");
    let of = |value: &str| value.replace("GOOD", &good);
    for headers in [
        vec![of("Bearer GOOD"), of("Bearer GOOD")],
        vec!["Bearer x".to_owned(), of("Bearer GOOD")],
        vec![of("Bearer GOOD"), String::new()],
        // As API Gateway joins two.
        vec![of("Bearer GOOD,Bearer GOOD")],
        vec![of("Bearer GOOD, Bearer GOOD")],
        vec![of("Bearer,GOOD")],
        vec![of("Bearer \u{a0}GOOD")],
        vec![of("Bearer GOOD\u{ff}")],
        vec![of("Bearer \"GOOD\"")],
        vec![of("Bearer token=GOOD")],
    ] {
        let headers: Vec<_> = headers.iter().map(|value| ("Authorization", &**value)).collect();
        unauthorized(&world.send(Method::GET, "", path, &headers, "").await, path);
    }
    // In no other place, either.
    for path in [format!("{path}?token={good}"), format!("{path}?access_token={good}")] {
        assert_eq!(world.send(Method::GET, "", &path, &[], "").await.status, 401);
    }
    let cookie = format!("token={good}");
    let headers = [("Cookie", cookie.as_str()), ("X-Authorization", good.as_str())];
    unauthorized(&world.send(Method::GET, "", path, &headers, "").await, path);
    // White space and case are the header's business.
    for value in [of("bearer GOOD"), of("BEARER   GOOD"), of("Bearer GOOD ")] {
        let headers = [("authorization", &*value)];
        assert_eq!(world.send(Method::GET, "", path, &headers, "").await.status, 200, "{value}");
    }
}

#[tokio::test]
async fn a_token_of_the_secret_of_before_counts_while_that_is_set() {
    let world = World::with(&[("JWT_SECRET", "new"), ("JWT_SECRET_PREVIOUS", SECRET)]).await;
    assert_eq!(world.get("owner", READS[0]).await.status, 200);
    let world = World::with(&[("JWT_SECRET", "new")]).await;
    assert_eq!(world.get("owner", READS[0]).await.status, 401);
}

/// A table of members that the role may not read: owners go on, and its members are strangers.
#[tokio::test]
async fn without_a_grant_on_the_members_owners_are_let_in_all_the_same() {
    let world = World::start().await;
    world
        .database
        .batch_execute(
            r#"CREATE TABLE "ProjectMember" ("projectId" text, "userId" text, role text);
            INSERT INTO "ProjectMember" VALUES ('p1', 'viewer', 'VIEWER');
            DO $$BEGIN CREATE ROLE nomembers LOGIN PASSWORD 'x'; EXCEPTION WHEN duplicate_object THEN NULL; END$$;
            GRANT SELECT ON "User", "Project", "DeoScoreSnapshot", "CrawlResult", "Product" TO nomembers"#,
        )
        .await
        .unwrap();
    let (_, place) = world.env["DATABASE_URL"].split_once('@').unwrap();
    let mut env = world.env.clone();
    env.insert("DATABASE_URL".to_owned(), format!("postgres://nomembers:x@{place}"));
    let mut lesser = world;
    lesser.base = serve(api::Api::new(&fixture::config(&env)).unwrap()).await;
    for _ in 0..3 {
        assert_eq!(lesser.get("owner", READS[0]).await.status, 200);
        assert_eq!(lesser.get("viewer", READS[0]).await.status, 403);
        let many =
            lesser.post("owner", "/deo-score/recompute", r#"{"projectIds":["p1","q1"]}"#).await;
        assert_eq!((many.status, &many.json()["rejected"][0]["status"]), (202, &403.into()));
    }
    // Granted while we run, it counts; and taken away again.
    let grant = r#"GRANT SELECT ON "ProjectMember" TO nomembers"#;
    lesser.database.batch_execute(grant).await.unwrap();
    for user in ["viewer", "owner", "viewer"] {
        assert_eq!(lesser.get(user, READS[0]).await.status, 200, "{user}");
    }
    lesser
        .database
        .batch_execute(&grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        .await
        .unwrap();
    for (user, status) in [("owner", 200), ("viewer", 403), ("owner", 200)] {
        assert_eq!(lesser.get(user, READS[0]).await.status, status, "{user}");
    }
}
