//! What is wrong with Postgres.

use local::doctor::{Report, Verdict, examine};
use local::permissions::Function;
use local::permissions::postgres::{Grant, Only, grants, statements};
use tokio_postgres::NoTls;

use super::{Env, ill, is_named, stage};

#[tokio::test]
async fn what_is_wrong_with_postgres_is_named() {
    let world = stage(Vec::new()).await;
    let url = world.env["DATABASE_URL"].clone();
    let (_, place) = url.split_once('@').unwrap();
    let name = url.rsplit('/').next().unwrap();
    let sql = &world.database;
    let with = |url: String| {
        let mut env = world.env.clone();
        env.insert("DATABASE_URL".to_owned(), url);
        env
    };
    is_named(&with(fixture::nowhere()), "postgres.reach", Verdict::Fail).await;

    // Of a function's role its own rights are asked for, and what it may not see is no failure.
    let role = statements(Function::Drain).replace("'PASSWORD'", "'canary'");
    let role = role.replace("deo_drain", &format!("drain_{name}"));
    // This database has no such column.
    let role: Vec<&str> = role.lines().filter(|line| !line.contains("internalLinkCount")).collect();
    let role = role.join("\n");
    sql.batch_execute(&role).await.unwrap();
    let theirs = with(format!("postgres://drain_{name}:canary@{place}"));
    let report = examine(&theirs, Some(Function::Drain), true).await;
    assert_eq!(ill(&report), [("postgres.migrations", Verdict::Warn)], "{:#?}", report.checks);
    let revoke = format!(r#"REVOKE UPDATE ("currentDeoScore") ON "Project" FROM drain_{name}"#);
    sql.batch_execute(&revoke).await.unwrap();
    let report = examine(&theirs, Some(Function::Drain), false).await;
    assert!(ill(&report).contains(&("postgres.rights", Verdict::Fail)), "{:#?}", report.checks);
    sql.batch_execute(r#"ALTER TABLE "CrawlResult" ENABLE ROW LEVEL SECURITY"#).await.unwrap();
    let report = examine(&theirs, Some(Function::Drain), false).await;
    assert!(ill(&report).contains(&("postgres.policies", Verdict::Warn)));
    // Also where another schema comes before that of the tables.
    let other = format!(
        "CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO drain_{name};
        ALTER ROLE drain_{name} SET search_path = app, public"
    );
    sql.batch_execute(&other).await.unwrap();
    let report = examine(&theirs, Some(Function::Drain), false).await;
    assert!(ill(&report).contains(&("postgres.policies", Verdict::Warn)), "{:#?}", report.checks);

    sql.batch_execute("DELETE FROM deo.schema_history WHERE version = 6").await.unwrap();
    is_named(&world.env, "postgres.migrations", Verdict::Fail).await;
    let drop = r#"ALTER TABLE "DeoScoreSnapshot" DROP "entityScore""#;
    sql.batch_execute(drop).await.unwrap();
    let report = examine(&world.env, None, false).await;
    assert!(ill(&report).contains(&("postgres.tables", Verdict::Fail)));
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    sql.batch_execute(&read_only).await.unwrap();
    let report = examine(&world.env, None, false).await;
    assert!(ill(&report).contains(&("postgres.server", Verdict::Fail)));
}

#[tokio::test]
async fn tables_that_are_not_there_are_not_called_well() {
    let world = stage(Vec::new()).await;
    let url = world.env["DATABASE_URL"].clone();
    let (server, name) = url.rsplit_once('/').unwrap();
    let empty = format!("{name}_empty");
    world.database.batch_execute(&format!("CREATE DATABASE {empty}")).await.unwrap();
    let mut env = world.env.clone();
    env.insert("DATABASE_URL".to_owned(), format!("{server}/{empty}"));
    let report = examine(&env, None, false).await;
    let both = [("postgres.migrations", Verdict::Fail), ("postgres.tables", Verdict::Fail)];
    assert_eq!(ill(&report), both, "{:#?}", report.checks);
    let told = |report: &Report| {
        let check = report.checks.iter().find(|check| check.name == "postgres.tables");
        check.unwrap().to_string()
    };
    assert!(told(&report).contains("deo migrate"), "{}", told(&report));
    assert!(report.checks.iter().all(|check| check.name != "postgres.rights"), "of no table");

    let (client, connection) =
        tokio_postgres::connect(&format!("{server}/{empty}"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(r#"CREATE TABLE "Project" (id text)"#).await.unwrap();
    let report = examine(&env, None, false).await;
    let missing = |table: &str| {
        let told = format!("\"{table}\" is missing");
        report.checks.iter().any(|it| it.name == "postgres.tables" && it.told == told)
    };
    assert!(
        missing("User") && missing("CrawlResult") && !missing("Project"),
        "{:#?}",
        report.checks
    );
}

/// Settings with which drops are told and snapshots deleted.
fn telling(env: &Env) -> Env {
    let mut env = env.clone();
    for (name, value) in [
        ("DROP_EVENTS_POINTS", "10"),
        ("DROP_EVENTS_URL", "https://x.example/"),
        ("DROP_EVENTS_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("SNAPSHOT_RETENTION", "newest:40"),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    env
}

#[tokio::test]
async fn rights_that_only_some_settings_need_are_asked_for_with_those() {
    let world = stage(Vec::new()).await;
    let url = &world.env["DATABASE_URL"];
    let (_, place) = url.split_once('@').unwrap();
    let role = format!("telling_{}", url.rsplit('/').next().unwrap());
    let run = async |text: &str| world.database.batch_execute(text).await.unwrap();
    run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'")).await;
    let all = || grants(Function::Drain).into_iter().filter(|it| it.only != Some(Only::Column));
    for grant in all() {
        run(&grant.to(&role)).await;
    }
    let mut plain = world.env.clone();
    plain.insert("DATABASE_URL".to_owned(), format!("postgres://{role}:x@{place}"));
    let telling = telling(&plain);
    let rights = async |env: &Env| {
        let report = examine(env, Some(Function::Drain), false).await;
        let check =
            report.checks.into_iter().find(|check| check.name == "postgres.rights").unwrap();
        (check.verdict, check.told)
    };
    assert_eq!(rights(&telling).await.0, Verdict::Ok);
    let of_settings = || all().filter(|it| it.only.is_some());
    assert!(of_settings().count() >= 7);
    for part in of_settings().flat_map(Grant::parts) {
        run(&part.from(&role)).await;
        let (verdict, told) = rights(&telling).await;
        assert_eq!(verdict, Verdict::Fail, "{part:?}");
        assert!(told.contains(&part.to(&role)), "{told}");
        assert_eq!(rights(&plain).await.0, Verdict::Ok, "{part:?}");
        run(&part.to(&role)).await;
    }
}

#[tokio::test]
async fn drops_that_nobody_sends_are_counted_and_a_table_that_is_gone_is_told() {
    let world = stage(Vec::new()).await;
    let telling = telling(&world.env);
    let report = examine(&telling, None, false).await;
    assert_eq!((ill(&report), report.drops_stuck), (vec![], Some(0)), "{:#?}", report.checks);
    let stuck = "INSERT INTO deo.score_drop (platform, snapshot_id, project_id, from_score, to_score, read_at,
            created_at, due_at, ended_at)
        SELECT platform, id, 'p1', 9, 8, at, at, at, ended_at FROM (VALUES
            ('public', 'stuck', interval '26 hours', NULL),
            ('public', 'due', interval '23 hours', NULL),
            ('public', 'over', interval '26 hours', now() AT TIME ZONE 'UTC'),
            ('other', 'theirs', interval '26 hours', NULL)
        ) AS e (platform, id, age, ended_at), LATERAL (SELECT now() AT TIME ZONE 'UTC' - age AS at) AS a";
    world.database.batch_execute(stuck).await.unwrap();
    let report = examine(&telling, None, false).await;
    let warned = vec![("postgres.drops", Verdict::Warn)];
    assert_eq!((ill(&report), report.drops_stuck), (warned, Some(1)), "{:#?}", report.checks);
    assert_eq!(serde_json::to_value(&report).unwrap()["dropsStuck"], 1);
    // Who tells of none is not asked.
    let report = examine(&world.env, None, false).await;
    assert_eq!((ill(&report), report.drops_stuck), (vec![], None));
    world.database.batch_execute("DROP TABLE deo.score_drop").await.unwrap();
    let report = examine(&telling, None, false).await;
    let both = [("postgres.tables", Verdict::Fail), ("postgres.drops", Verdict::Fail)];
    assert_eq!(ill(&report), both, "{:#?}", report.checks);
}
