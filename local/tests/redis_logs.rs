//! What the client logs: a span for each request that says what was asked, how long it took and how
//! often it was sent; never a token, a password, an argument or an answer, whatever goes wrong. The
//! same for a full run, from adding jobs to their scores.
//!
//! Alone in its binary: it watches everything that this process logs, at the finest level.
#![allow(clippy::unwrap_used)]

use drain::Drain;
use fixture::World;
use fixture::log::Log;
use gateway::{Faults, Gateway, GatewayConfig};
use serde_json::Value as Json;
use servers::RedisServer;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, Secret};
use shared::queue::NewJob;
use shared::recompute::open;
use shared::redis::{Command, Redis, Script};
use shared::store::Database;
use tables::seed::{Plan, seed};
use tokio::time::Instant;
use tracing_subscriber::fmt::format::FmtSpan;

/// The spans of requests that have ended, in order.
fn requests(log: &Log) -> Vec<Json> {
    let ended = log.lines().into_iter().filter(|line| {
        line["fields"]["message"] == "close" && line["target"] == "batchmq_redis::delivery"
    });
    ended.map(|line| line["span"].clone()).collect()
}

const TOKEN: &str = "canary-token";
const PAYLOAD: &str = "canary-payload-0123456789";

/// All forms of requests, with answers and errors that hold the payload.
async fn everything(redis: &Redis) {
    let script = Script {
        name: "keep",
        source: "redis.call('SET', KEYS[1], ARGV[1]) return {1, ARGV[1]}",
        replay_safe: true,
    };
    let failing = Script {
        name: "fail",
        source: "return redis.error_reply('MINE ' .. ARGV[1])",
        replay_safe: true,
    };
    let set = || Command::new("SET").arg("k").arg(PAYLOAD).replay_safe();
    let get = || Command::new("GET").arg("k").replay_safe();
    let wrong = || Command::new("LPUSH").arg("k").arg(PAYLOAD).replay_safe();
    let unknown = || Command::new("NOSUCH").arg("k").arg(PAYLOAD).replay_safe();
    let mut errors = Vec::new();
    for command in [set(), get(), wrong(), unknown()] {
        errors.extend(redis.call(command).await.err());
    }
    for answers in [
        redis.pipeline(vec![set(), get(), wrong(), unknown()]).await,
        redis.transaction(vec![set(), get(), wrong()]).await,
        redis.transaction(vec![set(), unknown()]).await,
    ] {
        match answers {
            Ok(items) => errors.extend(items.into_iter().filter_map(Result::err)),
            Err(error) => errors.push(error),
        }
    }
    for script in [&script, &failing] {
        let args = vec![PAYLOAD.into()];
        errors.extend(redis.run(script, &["k".to_owned()], args).await.err());
    }
    assert!(errors.len() >= 4, "{errors:?}");
    for error in errors {
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

/// Adds jobs whose data hold the payload, good ones and bad ones, and drains them.
async fn full_run(rest_url: String) {
    let world = World::builder().database("").start().await;
    let database_url = world.env["DATABASE_URL"].clone();
    let database = Database::parse(&Secret::new(&database_url)).unwrap();
    let now_ms = Clock::System.now_ms();
    let plan = Plan { projects: 3, pages: 5, products: 5, seed: 1, now_ms };
    seed(&database, &plan, |_| {}).await.unwrap();
    let projects = world.database.query(r#"SELECT id FROM "Project""#, &[]).await.unwrap();
    let env = [
        ("UPSTASH_REDIS_REST_URL", rest_url),
        ("UPSTASH_REDIS_REST_TOKEN", TOKEN.to_owned()),
        ("DATABASE_URL", database_url),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value));
    let config = Config::from_env(&std::collections::BTreeMap::from(env)).unwrap();
    let (queue, _) = open(&config, Clock::System).unwrap();
    let good = |id: &str| {
        format!(
            r#"{{"projectId":"{id}","reason":"manual","triggeredByUserId":null,"x":"{PAYLOAD}"}}"#
        )
    };
    let mut data: Vec<String> = projects.iter().map(|row| good(row.get(0))).collect();
    data.extend([
        good("nobody's"),
        format!(r#"["{PAYLOAD}"]"#),
        format!(r#"{{"projectId":1,"reason":"{PAYLOAD}"}}"#),
        format!(r#"{{"projectId":"p","reason":"{PAYLOAD}"}}"#),
    ]);
    let name = "recompute_deo_score".to_owned();
    let jobs: Vec<NewJob> = data
        .into_iter()
        .map(|data| NewJob { name: name.clone(), data, ..NewJob::default() })
        .collect();
    let mut tries = 0;
    while let Err(error) = queue.enqueue_once(&jobs, "tonight").await {
        tries += 1;
        assert!(tries < 100, "{error}");
    }
    let drain = Drain::new(&config).unwrap();
    for _ in 0..100 {
        drain.tick(Instant::now() + std::time::Duration::from_secs(30)).await;
        let Ok(counts) = queue.counts().await else { continue };
        if counts.completed + counts.failed == 7 {
            assert_eq!(counts.completed, 3, "{counts:?}");
            return;
        }
    }
    panic!("the jobs are not done");
}

#[tokio::test]
async fn requests_are_told_and_secrets_are_not() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(log.clone())
        .init();

    let server = RedisServer::start().await.unwrap();
    let start = async |faults: &str| {
        let mut config = GatewayConfig::new(server.url(), TOKEN);
        config.faults = faults.parse::<Faults>().unwrap();
        Gateway::start(config).await.unwrap()
    };
    let healthy = start("").await;
    let faulty = start("429=0.02,502html=0.2,reset-before=0.1,reset-after=0.1,truncate=0.1").await;
    let rest = |gateway: &Gateway| {
        let token = Secret::new(TOKEN);
        Redis::new(&Endpoint::Rest { url: gateway.url(), token, allow_plaintext: false }).unwrap()
    };
    let tcp = |userinfo: &str| {
        let url = server.url().replace("redis://", &format!("redis://{userinfo}"));
        let url = Secret::new(url);
        Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap()
    };

    everything(&rest(&healthy)).await;
    let one = requests(&log).into_iter().next().unwrap();
    assert_eq!(one["name"], "redis");
    assert_eq!(one["transport"], "rest");
    assert_eq!(one["commands"], "SET");
    assert_eq!(one["key"], "k");
    assert_eq!(one["attempts"], 1);
    assert_eq!(one["request_bytes"], format!("[\"SET\",\"k\",\"{PAYLOAD}\"]").len());
    assert_eq!(one["response_bytes"], r#"{"result":"OK"}"#.len());
    assert!(one["latency_ms"].as_f64().unwrap() > 0.0);

    let before = requests(&log).len();
    everything(&tcp("")).await;
    let told = requests(&log).split_off(before);
    let one = &told[0];
    assert_eq!(one["transport"], "tcp");
    let sent = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{PAYLOAD}\r\n", PAYLOAD.len());
    assert_eq!(one["request_bytes"], sent.len());
    assert_eq!(one["response_bytes"], "+OK\r\n".len());
    let commands: Vec<&str> = told.iter().filter_map(|span| span["commands"].as_str()).collect();
    assert!(commands.contains(&"SET, GET, LPUSH, NOSUCH"), "{commands:?}");
    assert!(commands.contains(&"script keep"), "{commands:?}");

    for _ in 0..3 {
        everything(&rest(&faulty)).await;
    }
    let again = requests(&log).into_iter().filter(|span| span["attempts"].as_u64() > Some(1));
    assert!(again.count() > 0, "nothing was sent twice");

    tcp("default:canary-password@").call(Command::new("GET").arg("k")).await.ok();
    let stranger = Endpoint::Rest {
        url: healthy.url(),
        token: Secret::new("canary-stranger"),
        allow_plaintext: false,
    };
    Redis::new(&stranger).unwrap().call(Command::new("GET").arg("k")).await.unwrap_err();

    full_run(faulty.url()).await;

    let text = log.text();
    for script in ["batchmq:enqueue", "batchmq:claim", "batchmq:settle"] {
        assert!(text.contains(&format!("script {script}")), "{script} was not run");
    }
    for line in text.lines() {
        assert!(!line.contains("canary"), "{line}");
    }
}
