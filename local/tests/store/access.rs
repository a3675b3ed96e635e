//! Who may do what.

use fixture::database_proxy::through_proxy;
use shared::store::Access::{Forbidden, Granted, NotFound, UnknownUser};

use super::{Bench, store};

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.empty_projects(&["p", "q"]).await;
    bench
        .sql
        .run(
            r#"INSERT INTO "User" SELECT id, id, '', NULL, 'ADMIN', now(), now()
                FROM unnest('{bob,eve,kim}'::text[]) id"#,
        )
        .await;
    bench
}

const MEMBERS: &str = r#"
    CREATE TYPE "ProjectMemberRole" AS ENUM ('VIEWER', 'EDITOR', 'OWNER');
    CREATE TABLE "ProjectMember" ("projectId" text, "userId" text, role "ProjectMemberRole");
    INSERT INTO "ProjectMember" VALUES ('p', 'bob', 'VIEWER'), ('p', 'eve', 'EDITOR'), ('p', 'kim', 'OWNER')"#;

#[tokio::test]
async fn without_members_only_the_owner_has_access() {
    let bench = bench().await;
    let store = &bench.store;
    for (user, project, access) in [
        ("ann", "p", Granted),
        ("bob", "p", Forbidden),
        ("ann", "gone", NotFound),
        ("bob", "gone", NotFound),
        ("nobody", "p", UnknownUser),
        ("nobody", "gone", UnknownUser),
        ("ann", "nul\0", NotFound),
        ("nul\0", "p", UnknownUser),
        ("", "", UnknownUser),
    ] {
        assert_eq!(store.access(user, project).await.unwrap(), access, "{user} {project}");
    }
}

#[tokio::test]
async fn members_count_where_there_is_a_table_of_them() {
    let bench = bench().await;
    let store = &bench.store;
    assert_eq!(store.access("eve", "p").await.unwrap(), Forbidden);
    // It appears while we run, and goes again.
    bench.sql.run(MEMBERS).await;
    for (user, project, access) in [
        ("bob", "p", Granted),
        ("eve", "p", Granted),
        ("kim", "p", Granted),
        ("eve", "q", Forbidden),
        ("ann", "q", Granted),
        ("eve", "gone", NotFound),
        ("nobody", "p", UnknownUser),
    ] {
        assert_eq!(store.access(user, project).await.unwrap(), access, "{user} {project}");
    }
    bench.sql.run(r#"DROP TABLE "ProjectMember""#).await;
    assert_eq!(store.access("eve", "p").await.unwrap(), Forbidden);
    assert_eq!(store.access("ann", "p").await.unwrap(), Granted);
}

#[tokio::test]
async fn a_thousand_projects_cost_as_many_statements_as_one() {
    let bench = bench().await;
    let ids: Vec<String> =
        (0..1_000).map(|n| if n % 2 == 0 { "p".into() } else { format!("x{n}") }).collect();
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    assert_eq!(store.access("ann", "p").await.unwrap(), Granted);
    assert_eq!(watch.statements(), 1);
    let all = store.access_to_all("ann", &ids).await.unwrap();
    assert_eq!(watch.statements(), 1);
    assert_eq!(all[..4], [Granted, NotFound, Granted, NotFound], "in the order asked");
    assert_eq!(all.len(), 1_000);
    bench.sql.run(MEMBERS).await;
    assert_eq!(store.access_to_all("eve", &ids).await.unwrap()[..2], [Granted, NotFound]);
    assert_eq!(watch.statements(), 2, "the first one finds the table");
    assert_eq!(store.access_to_all("eve", &ids).await.unwrap()[..2], [Granted, NotFound]);
    assert_eq!(watch.statements(), 1);
}
