//! `deo doctor`: all is well where all is well, and each thing that is not is named.

mod postgres;
mod queue;

use std::collections::BTreeMap;
use std::process::Command as Process;

use fixture::World;
use fixture::certificates::authority;
use gateway::Deviation;
use local::doctor::{Report, Verdict, examine};
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
        "SET" => "SET",
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
            let page = include_str!("../../../../docs/doctor.md");
            match live {
                false => {
                    assert!(page.contains(&format!("costs {billed} billed commands")), "{billed}")
                }
                true => assert!((560..=570).contains(&billed), "some 565: {billed}"),
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
