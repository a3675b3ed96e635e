//! No secret is in what any of the functions logs or answers, whatever somebody asks their logs for: each runs
//! for real, on servers with passwords and tokens, with jobs and rows that can be told from all else.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use api::Claims;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fixture::{World, built, runtime_api};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::{Secret, VARIABLES};
use shared::queue::NewJob;
use shared::redis::Command as Redis;

/// Stands in every secret, in job data and in the platform's texts.
const CANARY: &str = "canary";

/// What somebody may set, in either variable.
const LEVELS: [&str; 7] = [
    "TRACE",
    "DEBUG",
    "INFO",
    "ERROR",
    "trace,lambda_runtime=trace,lambda_http=trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace",
    "info,lambda_runtime=trace,lambda_runtime::layers=trace,tokio_postgres=trace,redis=trace,log=trace",
    "lambda_runtime,tokio_postgres,h2,tower,tokio,runtime,mio,want,reqwest",
];

/// Servers with secrets, and what is to be done with them.
struct Scene {
    world: World,
    bearer: String,
}

impl Scene {
    async fn start() -> Self {
        let world = World::builder()
            .own_redis()
            .gateway(|gateway| gateway.token = Secret::new("canary-rest-token"))
            .database(fixture::PEOPLE)
            .start()
            .await;
        let rows = r#"
            DO $$BEGIN CREATE ROLE lark LOGIN SUPERUSER PASSWORD 'canary-postgres-password';
                EXCEPTION WHEN duplicate_object THEN NULL; END$$;
            INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", title, h1, "metaDescription", issues)
                VALUES ('c1', 'p1', 'https://canary.example/', 200, 'canary-title', 'canary-h1', 'canary', '{"canary": 1}');
            INSERT INTO "Product" (id, "projectId", "externalId", title, description)
                VALUES ('d1', 'p1', 'canary', 'canary-product', 'canary-description')"#;
        world.database.batch_execute(rows).await.unwrap();
        let user = Redis::new("ACL").arg("SETUSER").arg("lark").arg("on");
        let user = user.arg(">canary-redis-password").arg("~*").arg("&*").arg("+@all");
        world.call(user).await;
        let now = Clock::System.now_ms() / 1000;
        let claims = Claims {
            sub: "owner".to_owned(),
            email: "canary@example.com".to_owned(),
            role: "USER".to_owned(),
            iat: now,
            exp: now + 3600,
        };
        let bearer = api::sign(&Secret::new("canary-jwt-secret"), &claims).unwrap();
        Self { world, bearer }
    }

    /// Over REST or TCP; `wrong` takes other passwords than the servers have.
    fn settings(&self, rest: bool, wrong: bool) -> Vec<(&'static str, String)> {
        let env = &self.world.env;
        let (_, place) = env["DATABASE_URL"].split_once('@').unwrap();
        let other = if wrong { "-wrong" } else { "" };
        let signing = format!("whsec_{}", STANDARD.encode("canary-queue-http-secret-of-32-bytes"));
        let mut settings = vec![
            ("DATABASE_URL", format!("postgres://lark:canary-postgres-password{other}@{place}")),
            ("JWT_SECRET", "canary-jwt-secret".to_owned()),
            ("JWT_SECRET_PREVIOUS", "canary-jwt-previous".to_owned()),
            ("API_POSTS_PER_MINUTE", "1000".to_owned()),
            ("COMMAND_BUDGET", "1000000".to_owned()),
            ("DRAIN_WAKE_URL", "http://127.0.0.1:1/canary-path?token=canary-url".to_owned()),
            ("DRAIN_WAKE_TOKEN", "canary-wake-token".to_owned()),
            ("QSTASH_TOKEN", "canary-qstash-token".to_owned()),
            ("QUEUE_HTTP_SECRET", signing.clone()),
            ("DROP_EVENTS_POINTS", "1".to_owned()),
            ("DROP_EVENTS_URL", "http://127.0.0.1:1/canary-drops?token=canary-url".to_owned()),
            ("DROP_EVENTS_SECRET", signing),
            (
                "QUEUES",
                "deo_score_queue,other=https://127.0.0.1:1/jobs?key=canary-receiver".to_owned(),
            ),
            ("SNAPSHOT_RETENTION", "newest:5".to_owned()),
        ];
        if rest {
            settings.push(("UPSTASH_REDIS_REST_URL", env["UPSTASH_REDIS_REST_URL"].clone()));
            settings.push(("UPSTASH_REDIS_REST_TOKEN", format!("canary-rest-token{other}")));
        } else {
            let place = self.world.redis.url().replace("redis://", "");
            settings
                .push(("REDIS_URL", format!("redis://lark:canary-redis-password{other}@{place}")));
        }
        settings
    }

    /// Jobs of every fate, whose data nobody else has.
    async fn add_jobs(&self) {
        let data = [
            r#"{"projectId":"p1","reason":"canary-reason","x":"canary-payload"}"#,
            r#"{"projectId":"p2","triggeredByUserId":{"canary":"canary-payload"}}"#,
            r#"{"projectId":7,"x":"canary-payload"}"#,
            r#"["canary-payload"]"#,
            r#""canary-payload""#,
        ];
        let job =
            |data: &str| NewJob { name: "n".into(), data: data.to_owned(), ..NewJob::default() };
        self.world.queue.enqueue(&data.map(job)).await.unwrap();
    }

    /// Events for `api`, `drain` and `cron`.
    fn events(&self) -> [(&'static str, Vec<Value>); 3] {
        let bearer = &self.bearer;
        let event = |text: &str| -> Value {
            serde_json::from_str(&text.replace("PROJECT", "p1").replace("TOKEN", bearer)).unwrap()
        };
        let post = |path: &str, body: &str| {
            let mut event = event(include_str!("../../events/recompute.json"));
            event["rawPath"] = path.into();
            event["rawQueryString"] = "token=kanari".into();
            event["headers"]["idempotency-key"] = format!("canary-key-{path}").into();
            event["headers"]["cookie"] = "session=canary-cookie".into();
            event["isBase64Encoded"] = false.into();
            event["body"] = body.into();
            event
        };
        let mut forged = event(include_str!("../../events/score.json"));
        forged["headers"]["authorization"] = format!("Bearer {bearer}-canary-forged").into();
        let api = vec![
            event(include_str!("../../events/health.json")),
            event(include_str!("../../events/score.json")),
            forged,
            post("/projects/p1/deo-score/recompute", r#"{"reason":"manual","x":"canary-body"}"#),
            post("/projects/p1/deo-score/recompute-sync", r#"{"x":"canary-body"}"#),
            post("/deo-score/recompute", r#"{"projectIds":["p1","p2"],"x":"canary-body"}"#),
            post("/deo-score/recompute", r#"{"projectIds":"canary-body"#),
            post("/queues/other/settle", r#"{"claim":"canary-claim"}"#),
        ];
        let url = include_str!("../../events/function-url.json");
        let woken: Value =
            serde_json::from_str(&url.replace("TOKEN", "canary-wake-token")).unwrap();
        let refused: Value = serde_json::from_str(&url.replace("TOKEN", "canary-guess")).unwrap();
        let schedule = event(include_str!("../../events/schedule.json"));
        [("api", api), ("drain", vec![refused, woken, schedule.clone()]), ("cron", vec![schedule])]
    }
}

/// Nothing in a log or an answer is from where secrets are.
#[track_caller]
fn hold(what: &str, text: &str, bearer: &str) {
    let told: Vec<&str> = text.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(told.is_empty(), "{what}: {told:#?}");
    // A token is secret from its second part on; the first is every token's.
    for part in bearer.split('.').skip(1) {
        assert!(!text.contains(part), "{what}: the bearer's token");
    }
    for secret in ["canary-queue-http-secret-of-32-bytes", CANARY] {
        assert!(!text.contains(&STANDARD.encode(secret)), "{what}: a secret in base64");
    }
}

// The servers answer from other threads than the one that waits for a process.
#[tokio::test(flavor = "multi_thread")]
async fn no_function_tells_a_secret_at_any_level() {
    let scene = Scene::start().await;
    let folder = built::functions();
    let programs = ["api", "drain", "cron"].map(|name| folder.join(name).display().to_string());
    let mut lines = 0;
    for (n, level) in LEVELS.into_iter().enumerate() {
        for variable in ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"] {
            let mut settings = scene.settings(n % 2 == 0, false);
            settings.push((variable, level.to_owned()));
            let settings: Vec<_> = settings.iter().map(|(name, it)| (*name, it.as_str())).collect();
            for ((name, events), program) in scene.events().into_iter().zip(&programs) {
                scene.add_jobs().await;
                let run =
                    tokio::task::block_in_place(|| runtime_api::run(program, &settings, &events));
                let what = format!("{name} with {variable}={level}");
                hold(&what, &run.text, &scene.bearer);
                assert!(!run.text.contains("kanari"), "{what}: a query");
                hold(&what, &format!("{:?}", run.answers), &scene.bearer);
                lines += run.lines.len();
                let statuses: Vec<_> =
                    run.answers.iter().map(|(_, it)| &it["statusCode"]).collect();
                match name {
                    "api" => {
                        assert_eq!(statuses, [200, 200, 401, 201, 201, 202, 400, 401], "{what}")
                    }
                    "drain" => {
                        assert_eq!((statuses[0], statuses[1]), (&json!(401), &json!(200)), "{what}")
                    }
                    _ => assert_eq!(run.answers[0].0, "response", "{what}"),
                }
            }
        }
    }
    assert!(lines > 200, "{lines} lines: nothing was logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_tells_a_secret_when_it_is_not_let_in() {
    let scene = Scene::start().await;
    let folder = built::functions();
    for rest in [true, false] {
        let mut settings = scene.settings(rest, true);
        settings.push(("RUST_LOG", "trace".to_owned()));
        let settings: Vec<_> = settings.iter().map(|(name, it)| (*name, it.as_str())).collect();
        for (name, events) in scene.events() {
            let program = folder.join(name).display().to_string();
            let run =
                tokio::task::block_in_place(|| runtime_api::run(&program, &settings, &events));
            hold(name, &run.text, &scene.bearer);
            hold(name, &format!("{:?}", run.answers), &scene.bearer);
            assert!(
                run.text.contains("ERROR") || run.text.contains("WARN"),
                "{name}: {}",
                run.text
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_worker_tells_a_secret_at_any_level() {
    let scene = Scene::start().await;
    for (rest, level) in [(true, "trace"), (false, LEVELS[4]), (false, LEVELS[5])] {
        scene.add_jobs().await;
        let mut worker = Command::new(env!("CARGO_BIN_EXE_deo"));
        for variable in VARIABLES {
            worker.env_remove(variable.name);
        }
        worker.args(["worker", "--every", "1s", "--json"]).envs(scene.settings(rest, false));
        worker.env("RUST_LOG", level).stdout(Stdio::piped()).stderr(Stdio::piped());
        let worker = worker.spawn().unwrap();
        let begun = Instant::now();
        loop {
            let counts = scene.world.counts().await;
            if counts.wait + counts.active + counts.delayed == 0 {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{counts:?}");
            tokio::task::block_in_place(|| sleep(Duration::from_millis(50)));
        }
        kill_process(Pid::from_child(&worker), Signal::TERM).unwrap();
        let output = tokio::task::block_in_place(|| worker.wait_with_output()).unwrap();
        let text =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).join("\n");
        assert!(text.contains("\"completed\""), "{text}");
        hold(&format!("worker with RUST_LOG={level}"), &text, &scene.bearer);
    }
}
