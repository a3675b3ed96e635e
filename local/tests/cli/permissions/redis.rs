//! Users of Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command as Process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fixture::{World, config};
use local::permissions::Function;
use local::permissions::redis::{commands, line, sent};
use rustix::process::{Pid, Signal, kill_process};
use shared::config::VARIABLES;
use shared::engine::StoppedBecause;
use shared::http::Secrets;
use shared::queue::schedule::{Rule, Scheduler};
use shared::queue::{ClaimRequest, JobOptions, NewJob};
use shared::redis::Command;
use tokio::time::sleep;

use super::{Asked, SECRET, api, night, tick};

const PREFIX: &str = "engineo";

/// What a server executes: the commands that `user`s of it send, and those inside scripts.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<[BTreeSet<String>; 2]>>);

impl Seen {
    /// Reads along, by MONITOR, from now on.
    fn watch(port: u16) -> Self {
        let seen = Self::default();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "+OK");
        let sink = seen.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // `+time [db who] "NAME" "argument" ...`
                let Some((head, rest)) = line.split_once("] ") else { continue };
                let mut words = rest.split('"').skip(1).step_by(2);
                let name = words.next().unwrap_or_default().to_uppercase();
                let name = match name.as_str() {
                    "CLIENT" => {
                        format!("CLIENT|{}", words.next().unwrap_or_default().to_uppercase())
                    }
                    _ => name,
                };
                let inside = usize::from(head.ends_with(" lua"));
                sink.0.lock().unwrap()[inside].insert(name);
            }
        });
        seen
    }

    /// Waits until it has read all that was executed so far: MONITOR is behind by a moment.
    async fn caught_up(&self, world: &World) {
        world.call(Command::new("ECHO").arg("here")).await;
        while !self.0.lock().unwrap()[0].remove("ECHO") {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A world, and the settings of one that has a function's user.
async fn world(function: Function) -> (World, BTreeMap<String, String>) {
    let mut world = World::builder().own_redis().database(fixture::PEOPLE);
    for (name, value) in [
        ("REDIS_PREFIX", PREFIX),
        ("JWT_SECRET", SECRET),
        ("API_POSTS_PER_MINUTE", "1000"),
        ("COMMAND_BUDGET", "1000000"),
        ("ENABLE_QUEUE_EVENTS", "true"),
        ("QUEUE_METRICS_MINUTES", "60"),
        ("QUEUE_HTTP_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("QUEUES", "deo_score_queue,crawl=http://127.0.0.1:1/jobs"),
    ] {
        world = world.set(name, value);
    }
    let world = world.start().await;
    let line = line(function, PREFIX, ["deo_score_queue", "crawl"]).replace("PASSWORD", "x");
    let mut user = Command::new("ACL");
    for word in line.split(' ').skip(1) {
        user = user.arg(word);
    }
    world.call(user).await;
    let mut env = world.env.clone();
    let place = env["REDIS_URL"].replace("redis://", "");
    env.insert("REDIS_URL".to_owned(), format!("redis://deo-{function}:x@{place}"));
    (world, env)
}

/// What was refused to the users.
async fn refused(world: &World) -> Vec<String> {
    let log = world.call(Command::new("ACL").arg("LOG")).await;
    let entries = log.as_array().unwrap().iter();
    entries.map(|entry| format!("{entry:?}")).collect()
}

fn job(data: &str, opts: JobOptions) -> NewJob {
    NewJob { name: "n".to_owned(), data: data.to_owned(), opts, ..NewJob::default() }
}

/// A function was seen to send exactly what its user may send, and nothing was refused to it.
async fn hold(function: Function, world: &World, seen: &Seen) {
    seen.caught_up(world).await;
    let refused = refused(world).await;
    assert!(refused.is_empty(), "{function}: {refused:#?}");
    let [mut outside, inside] = seen.0.lock().unwrap().clone();
    // What every connection begins with is free to all.
    for free in ["AUTH", "HELLO", "ACL"] {
        outside.remove(free);
    }
    let may: BTreeSet<String> = sent(function).into_iter().map(str::to_owned).collect();
    let lacking: Vec<_> = outside.difference(&may).collect();
    let superfluous: Vec<_> = may.difference(&outside).collect();
    assert!(
        lacking.is_empty() && superfluous.is_empty(),
        "{function}: not declared {lacking:?}, not seen {superfluous:?}"
    );
    let all: BTreeSet<String> = commands(function).into_iter().map(str::to_owned).collect();
    assert!(inside.is_subset(&all), "{function}: {:?}", inside.difference(&all));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_sends_what_its_user_may_and_no_less() {
    let (world, env) = world(Function::Api).await;
    // A heartbeat and metrics to read, of a drain that counts no commands: the first entry is the API's.
    let queue = &world.queue;
    queue.enqueue(&[job(r#"{"projectId":"p1"}"#, JobOptions::default())]).await.unwrap();
    let mut uncounted = world.env.clone();
    uncounted.remove("COMMAND_BUDGET");
    assert_eq!(tick(&uncounted).await.completed, 1);
    // Jobs of all kinds that it may look at, and two that a receiver goes on with.
    let prioritized = |priority| job("{}", JobOptions { priority, ..JobOptions::default() });
    let waiting = job(r#"{"projectId":"p1"}"#, JobOptions::default());
    queue.enqueue(&[waiting.clone(), waiting, prioritized(3), prioritized(5)]).await.unwrap();
    assert_eq!(queue.claim(ClaimRequest::everywhere(1)).await.unwrap().jobs.len(), 1);
    let mut of_crawl = config(&world.env);
    of_crawl.queue.name = "crawl".to_owned();
    let crawl = fixture::queue(&of_crawl);
    crawl
        .enqueue(&[job("{}", JobOptions::default()), job("{}", JobOptions::default())])
        .await
        .unwrap();
    let claim = crawl.claim(ClaimRequest::everywhere(10)).await.unwrap();
    let seen = Seen::watch(world.redis.port());
    let api = api(&env);
    for (user, method, path, body) in [
        ("owner", "GET", "/health?deep=1", ""),
        ("owner", "POST", "/projects/p1/deo-score/recompute", ""),
        ("owner", "POST", "/projects/p2/deo-score/recompute", r#"{"reason":"scheduled"}"#),
        ("owner", "POST", "/deo-score/recompute", r#"{"projectIds":["p1","p3"]}"#),
        ("owner", "GET", "/jobs/1", ""),
        ("admin", "GET", "/queue", ""),
        ("admin", "GET", "/queue/failures", ""),
        ("admin", "GET", "/fleet/failing", ""),
        ("admin", "GET", "/fleet/failing?after=0_1", ""),
    ] {
        for _ in 0..2 {
            let mut asked = Asked::new(user, method, path);
            asked.body = body.to_owned();
            if method == "POST" {
                asked.headers.push(("idempotency-key", path.to_owned()));
            }
            let (status, body) = asked.of(&api).await;
            assert!((200..300).contains(&status), "{path}: {status} {body}");
        }
    }
    // A process that remembers nothing looks at a queue that is limited, then at one that is full.
    let meta = format!("{PREFIX}:deo_score_queue:meta");
    for (set, value) in [("max", "9"), ("concurrency", "1")] {
        world.call(Command::new("HDEL").arg(meta.as_str()).arg("max").arg("duration")).await;
        let fields = [set, value, "duration", "60000"];
        world.call(Command::new("HSET").arg(meta.as_str()).args(fields)).await;
        let (status, body) = Asked::new("admin", "GET", "/queue").of(&super::api(&env)).await;
        assert_eq!(status, 200, "{body}");
    }
    // And at one where only prioritized jobs wait.
    world.call(Command::new("HDEL").arg(meta.as_str()).arg("concurrency").arg("duration")).await;
    let [wait, aside] = ["wait", "aside"].map(|name| format!("{PREFIX}:deo_score_queue:{name}"));
    world.call(Command::new("RENAME").arg(wait.as_str()).arg(aside.as_str())).await;
    assert_eq!(Asked::new("admin", "GET", "/queue").of(&super::api(&env)).await.0, 200);
    world.call(Command::new("RENAME").arg(aside.as_str()).arg(wait.as_str())).await;
    seen.caught_up(&world).await;
    for own in ["HDEL", "HSET", "RENAME"] {
        seen.0.lock().unwrap()[0].remove(own);
    }
    // Worth counting.
    let mut many = Asked::new("owner", "POST", "/deo-score/recompute");
    let ids: Vec<String> = (0..60).map(|n| format!("many{n}")).collect();
    world.projects(ids.clone()).await;
    world.database.execute(r#"UPDATE "Project" SET "userId" = 'owner'"#, &[]).await.unwrap();
    many.body = serde_json::json!({ "projectIds": ids }).to_string();
    assert_eq!(many.of(&api).await.0, 202);
    let ends = serde_json::json!({"claim": claim.token, "jobs": [
        {"id": claim.jobs[0].id, "status": "completed"}, {"id": claim.jobs[1].id, "status": "working"},
    ]});
    let mut settle = Asked::new("", "POST", "/queues/crawl/settle");
    settle.body = ends.to_string();
    let now = shared::clock::Clock::System.now_ms() / 1000;
    let secrets = Secrets::parse(&env["QUEUE_HTTP_SECRET"]).unwrap();
    let signature = secrets.sign("settle_1", now, settle.body.as_bytes());
    settle.headers = vec![
        ("webhook-id", "settle_1".to_owned()),
        ("webhook-timestamp", now.to_string()),
        ("webhook-signature", signature),
    ];
    let (status, body) = settle.of(&api).await;
    assert_eq!((status, &body["jobs"][0]["outcome"]), (200, &"completed".into()), "{body}");
    hold(Function::Api, &world, &seen).await;
}

/// Jobs of every fate, and a scheduler that is due.
async fn work(world: &World) {
    let queue = &world.queue;
    let good = r#"{"projectId":"p1"}"#;
    let opts = |priority, delay_ms| JobOptions { priority, delay_ms, ..JobOptions::default() };
    let jobs = [
        job(good, opts(0, 0)),
        job(good, opts(3, 0)),
        job(good, opts(5, 0)),
        job(good, opts(0, 1)),
        job(r#"{"projectId":"nope"}"#, opts(0, 0)),
        job("{}", opts(0, 3_600_000)),
    ];
    queue.enqueue(&jobs).await.unwrap();
    let every = Scheduler {
        id: "s".to_owned(),
        name: "n".to_owned(),
        data: good.to_owned(),
        rule: Rule::Every { every_ms: 1_000, offset_ms: 0 },
        ..Scheduler::default()
    };
    queue.schedule(&every).await.unwrap();
    sleep(Duration::from_millis(1_100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drain_sends_what_its_user_may_and_no_less() {
    let (world, env) = world(Function::Drain).await;
    let seen = Seen::watch(world.redis.port());
    // One that finds nothing says that it lives.
    assert!(tick(&env).await.error.is_none());
    seen.caught_up(&world).await;
    let idle = seen.0.lock().unwrap().clone();
    work(&world).await;
    let claim = world.queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
    assert_eq!(claim.jobs.len(), 1);
    world.age().await;
    seen.caught_up(&world).await;
    // What this test itself has sent is not the drain's.
    *seen.0.lock().unwrap() = idle;
    // Held up with jobs of all kinds before it, it says how old they are.
    let mut limited = env.clone();
    limited.insert("QUEUE_LIMITER_MAX".to_owned(), "1".to_owned());
    limited.insert("QUEUE_LIMITER_DURATION_MS".to_owned(), "60000".to_owned());
    let report = tick(&limited).await;
    assert_eq!(report.stopped_because, StoppedBecause::Limited, "{report:?}");
    let lift = Command::new("DEL").arg(format!("{PREFIX}:deo_score_queue:limiter"));
    world.call(lift).await;
    for _ in 0..3 {
        let report = tick(&env).await;
        assert!(report.error.is_none(), "{report:?}");
    }
    // As after ten minutes without work.
    fixture::queue(&config(&env)).beat_idle().await.unwrap();
    seen.0.lock().unwrap()[0].remove("DEL");
    hold(Function::Drain, &world, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cron_sends_what_its_user_may_and_no_less() {
    let (world, mut env) = world(Function::Cron).await;
    // A page is 500 projects: with so many it stops between them, and keeps its place.
    world.projects((0..3_000).map(|n| format!("n{n:04}"))).await;
    // A place of an earlier version.
    let former = Command::new("SET").arg(format!("{PREFIX}::deo:deo_score_queue:cron-cursor"));
    world.call(former.arg("x")).await;
    let seen = Seen::watch(world.redis.port());
    env.insert("CRON_MAX_WAITING".to_owned(), "600".to_owned());
    for _ in 0..2 {
        let report = night(&env, Duration::from_secs(30)).await;
        assert!(report.error.is_none(), "{report:?}");
    }
    env.insert("CRON_MAX_WAITING".to_owned(), "100000".to_owned());
    let report = night(&env, Duration::from_secs(60)).await;
    assert!(report.error.is_none(), "{report:?}");
    hold(Function::Cron, &world, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_sends_what_its_user_may_and_no_less() {
    let (world, env) = world(Function::Worker).await;
    work(&world).await;
    let seen = Seen::watch(world.redis.port());
    let mut worker = Process::new(env!("CARGO_BIN_EXE_deo"));
    for variable in VARIABLES {
        worker.env_remove(variable.name);
    }
    worker.args(["worker", "--every", "1s"]).envs(&env);
    let mut limited = env.clone();
    limited.insert("QUEUE_LIMITER_MAX".to_owned(), "1".to_owned());
    limited.insert("QUEUE_LIMITER_DURATION_MS".to_owned(), "60000".to_owned());
    let report = tick(&limited).await;
    assert_eq!(report.stopped_because, StoppedBecause::Limited, "{report:?}");
    world.call(Command::new("DEL").arg(format!("{PREFIX}:deo_score_queue:limiter"))).await;
    let mut process = worker.spawn().unwrap();
    // A scheduler's job every second, and one while it sleeps.
    sleep(Duration::from_secs(5)).await;
    kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
    let ended = tokio::task::block_in_place(|| process.wait()).unwrap();
    assert!(ended.success(), "{ended}");
    fixture::queue(&config(&env)).beat_idle().await.unwrap();
    seen.0.lock().unwrap()[0].remove("DEL");
    hold(Function::Worker, &world, &seen).await;
}
