//! `deo doctor`: all is well where all is well, and each thing that is not is named.

use std::collections::BTreeMap;
use std::process::Command as Process;

use fixture::World;
use fixture::certificates::authority;
use gateway::Deviation;
use local::doctor::{Report, Verdict, examine};
use local::permissions::Function;
use local::permissions::postgres::{Grant, Only, grants, statements};
use local::tls_front::TlsFront;
use shared::queue::schedule::{Rule, Scheduler};
use shared::redis::Command;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

type Env = BTreeMap<String, String>;

const SECRET: &str = "a secret of no less than thirty-two bytes";

async fn stage(deviations: Vec<Deviation>) -> World {
    let world = World::builder().own_redis().database(fixture::PEOPLE).set("JWT_SECRET", SECRET);
    let world = world.gateway(move |gateway| gateway.deviations = deviations).start().await;
    world.queue.beat_idle().await.unwrap();
    world
}

/// What is not well, with how bad it is.
fn ill(report: &Report) -> Vec<(&'static str, Verdict)> {
    let ill = report.checks.iter().filter(|check| check.verdict != Verdict::Ok);
    ill.map(|check| (check.name, check.verdict)).collect()
}

/// What is not well is this alone, and what to do about it is told.
async fn is_named(env: &Env, name: &'static str, verdict: Verdict) {
    let report = examine(env, None, false).await;
    assert_eq!(ill(&report), [(name, verdict)], "{:#?}", report.checks);
}

async fn command(world: &World, words: &[&str]) {
    let redis = world.queue.redis();
    let name: &'static str = match words[0] {
        "HSET" => "HSET",
        "DEL" => "DEL",
        other => panic!("{other}"),
    };
    redis.call(Command::new(name).args(words[1..].iter().copied())).await.unwrap();
}

async fn executed(world: &World) -> u64 {
    let info = world.queue.redis().call(Command::new("INFO").arg("stats")).await.unwrap();
    let line =
        info.as_str().unwrap().lines().find_map(|it| it.strip_prefix("total_commands_processed:"));
    line.unwrap().trim().parse().unwrap()
}

async fn keys(world: &World) -> i64 {
    world.queue.redis().call(Command::new("DBSIZE")).await.unwrap().as_int().unwrap()
}

#[tokio::test]
async fn all_is_well_on_the_gateway_and_over_tcp_for_few_commands_that_leave_nothing() {
    let world = stage(Vec::new()).await;
    let mut tcp = world.env.clone();
    tcp.retain(|name, _| !name.starts_with("UPSTASH"));
    tcp.insert("REDIS_URL".to_owned(), world.redis.url());
    let before = keys(&world).await;
    for (env, least) in [(&world.env, 30), (&tcp, 27)] {
        for live in [false, true] {
            let before = executed(&world).await;
            let report = examine(env, None, live).await;
            assert_eq!(ill(&report), [], "{:#?}", report.checks);
            let billed = report.billed_commands;
            let page = include_str!("../../../docs/doctor.md");
            match live {
                false => {
                    assert!(page.contains(&format!("costs {billed} billed commands")), "{billed}")
                }
                true => assert!((545..=555).contains(&billed), "some 550: {billed}"),
            }
            if env.contains_key("UPSTASH_REDIS_REST_URL") {
                // Over TCP a connection's greeting comes to it, which nobody bills.
                assert_eq!(billed, executed(&world).await - before - 1, "INFO is one of them");
            }
            assert!(!live || report.checks.len() >= least, "{}", report.checks.len());
        }
    }
    assert_eq!(keys(&world).await, before);
}

#[tokio::test]
async fn a_server_that_is_not_what_we_take_upstash_for_is_named() {
    for (deviation, name) in [
        (Deviation::CountsKeysOnce, "live.exists"),
        (Deviation::RewordsUnknownScripts, "live.noscript"),
        (Deviation::NoSyncTokens, "live.sync-token"),
        (Deviation::FailsOptions, "live.options"),
        (Deviation::BoundsAnswers(2_000_000), "live.size"),
        (Deviation::RefusesScripts, "redis.rights"),
    ] {
        let world = stage(vec![deviation]).await;
        let report = examine(&world.env, None, true).await;
        let ill = ill(&report);
        assert!(ill.iter().any(|it| it.0 == name), "{deviation:?}: {:#?}", report.checks);
        assert!(ill.len() == 1 || !name.starts_with("live."), "{deviation:?}: {ill:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_redis_or_the_queue_is_named() {
    let world = stage(Vec::new()).await;
    let with = |name: &str, value: &str| {
        let mut env = world.env.clone();
        env.insert(name.to_owned(), value.to_owned());
        env
    };
    is_named(&with("REDIS_PREFIX", "'engineo'"), "settings", Verdict::Fail).await;
    is_named(&with("ENABLE_CRN", "true"), "settings", Verdict::Warn).await;
    let canary = with("UPSTASH_REDIS_REST_TOKEN", "canary-token");
    is_named(&canary, "redis.reach", Verdict::Fail).await;
    let told = serde_json::to_string(&examine(&canary, None, true).await).unwrap();
    assert!(!told.contains("canary") && !told.contains(SECRET));

    // Another prefix has neither the queue nor its drain.
    command(&world, &["HSET", "bull:deo_score_queue:meta", "opts.maxLenEvents", "10000"]).await;
    let report = examine(&with("REDIS_PREFIX", "other"), None, false).await;
    let both = [("queue.prefix", Verdict::Warn), ("queue.heartbeat", Verdict::Warn)];
    assert_eq!(ill(&report), both);
    assert!(report.checks.iter().any(|it| it.told.contains("and one under `bull`")));
    command(&world, &["DEL", "bull:deo_score_queue:meta"]).await;

    let rule = Rule::Every { every_ms: 3_600_000, offset_ms: 0 };
    let (id, name) = ("nightly".to_owned(), "recompute".to_owned());
    let data = "{}".to_owned();
    let scheduler = Scheduler { id, name, data, rule, ..Scheduler::default() };
    let next = world.queue.schedule(&scheduler).await.unwrap();
    is_named_not(&world.env, "queue.schedules").await;
    let queue = format!("{}:deo_score_queue", world.config().queue.prefix);
    for key in
        [format!("{queue}:{}", next.job_id), format!("{queue}:wait"), format!("{queue}:delayed")]
    {
        command(&world, &["DEL", &key]).await;
    }
    is_named(&world.env, "queue.schedules", Verdict::Warn).await;
    command(&world, &["DEL", &format!("{queue}:repeat")]).await;
    is_named_not(&world.env, "queue.schedules").await;

    let mut redis = redis_of(&world).await;
    redis.write_all(b"CONFIG SET maxmemory-policy allkeys-lru\r\n").await.unwrap();
    redis.read_exact(&mut [0; 5]).await.unwrap();
    is_named(&world.env, "redis.conditions", Verdict::Warn).await;
}

async fn redis_of(world: &World) -> TcpStream {
    let url = world.redis.url();
    TcpStream::connect(url.trim_start_matches("redis://").split('/').next().unwrap()).await.unwrap()
}

async fn is_named_not(env: &Env, name: &str) {
    let report = examine(env, None, false).await;
    assert!(ill(&report).iter().all(|it| it.0 != name), "{:#?}", report.checks);
}

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
async fn megabytes_are_not_written_where_redis_deletes_keys() {
    let world = stage(Vec::new()).await;
    let mut redis = redis_of(&world).await;
    redis.write_all(b"CONFIG SET maxmemory-policy allkeys-lru\r\n").await.unwrap();
    redis.read_exact(&mut [0; 5]).await.unwrap();
    let received = async || -> u64 {
        let info = world.queue.redis().call(Command::new("INFO").arg("stats")).await.unwrap();
        let line =
            info.as_str().unwrap().lines().find_map(|it| it.strip_prefix("total_net_input_bytes:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = received().await;
    let report = examine(&world.env, None, true).await;
    let both = [("redis.conditions", Verdict::Warn), ("live.size", Verdict::Warn)];
    assert_eq!(ill(&report), both, "{:#?}", report.checks);
    assert!(received().await - before < 1_000_000);
}

#[tokio::test]
async fn the_rest_api_is_looked_at_by_whom_the_settings_trust() {
    let world = stage(Vec::new()).await;
    let (ca, certificate) = authority();
    let behind = world.env["UPSTASH_REDIS_REST_URL"].strip_prefix("http://").unwrap();
    let front = TlsFront::before(behind.parse().unwrap(), &certificate.pem, &certificate.key, None);
    let front = front.await.unwrap();
    let mut env = world.env.clone();
    env.insert("UPSTASH_REDIS_REST_URL".to_owned(), format!("https://localhost:{}", front.port()));
    env.insert("REDIS_CA".to_owned(), ca);
    let report = examine(&env, None, true).await;
    assert_eq!(ill(&report), [], "{:#?}", report.checks);
    for name in ["live.sync-token", "live.options", "live.token"] {
        assert!(report.checks.iter().any(|check| check.name == name), "{name}");
    }
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

/// A pooler that passes on everything but requests to cancel.
#[tokio::test]
async fn a_pooler_that_forgets_requests_to_cancel_is_named() {
    /// The code in the first packet of such a request.
    const CANCEL: [u8; 4] = 80_877_102_u32.to_be_bytes();

    let world = stage(Vec::new()).await;
    let url = world.env["DATABASE_URL"].clone();
    let (before, place) = url.split_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pooler = listener.local_addr().unwrap();
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut head = [0; 8];
                client.read_exact(&mut head).await.ok()?;
                if head[4..] == CANCEL {
                    return None;
                }
                let mut to = TcpStream::connect(server).await.ok()?;
                to.write_all(&head).await.ok()?;
                copy_bidirectional(&mut client, &mut to).await.ok()
            });
        }
    });
    let mut env = world.env.clone();
    env.insert("DATABASE_URL".to_owned(), format!("{before}@{pooler}/{name}"));
    let report = examine(&env, None, true).await;
    assert_eq!(ill(&report), [("live.cancel", Verdict::Fail)], "{:#?}", report.checks);
}

/// The gateway answers while this waits for the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_command_prints_a_line_a_check_and_exits_accordingly() {
    let world = stage(Vec::new()).await;
    let doctor = |env: &Env, arguments: &[&str]| {
        let mut deo = Process::new(env!("CARGO_BIN_EXE_deo"));
        deo.arg("doctor").args(arguments).envs(env).output().unwrap()
    };
    let well = doctor(&world.env, &[]);
    let text = String::from_utf8(well.stdout).unwrap();
    assert_eq!(well.status.code(), Some(0), "{text}");
    assert!(text.lines().all(|line| line.starts_with("ok   ")), "{text}");
    let mut env = world.env.clone();
    env.insert("DATABASE_URL".to_owned(), fixture::nowhere());
    let ill = doctor(&env, &["--json"]);
    let report: serde_json::Value = serde_json::from_slice(&ill.stdout).unwrap();
    assert_eq!(ill.status.code(), Some(1));
    let failed = report["checks"].as_array().unwrap().iter().find(|it| it["verdict"] == "fail");
    let failed = failed.unwrap();
    assert_eq!(failed["name"], "postgres.reach");
    assert!(failed["remedy"].as_str().unwrap().starts_with("check DATABASE_URL"));
}
