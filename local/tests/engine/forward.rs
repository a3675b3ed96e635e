//! Jobs that an HTTP server does: whatever it answers, each has the end that is documented.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::engine::{Report, StoppedBecause, Stopper, TickOptions, Ticker};
use shared::http::{Forward, ForwardOptions, Secrets};
use shared::queue::{Backoff, JobOptions, NewJob, Queue, State};
use shared::redis::{Command, Secret};
use tokio::time::Instant;

use super::receiver::{self, Receiver, Reply, SECRET, all, status};
use super::{Clock, queue};

fn options(url: &str) -> ForwardOptions {
    ForwardOptions::new(Secret::new(url), Secrets::parse(SECRET).unwrap())
}

/// Adds a job of three attempts for each of `data`. One that is tried again waits for a minute, and so until
/// after the test.
async fn add(queue: &Queue, data: &[&str]) -> Vec<String> {
    let backoff = Some(Backoff::Fixed { delay_ms: 60_000, jitter: None });
    let opts = JobOptions { attempts: 3, backoff, ..JobOptions::default() };
    let job = |data: &&str| NewJob {
        name: "job".to_owned(),
        data: format!("\"{data}\""),
        opts: opts.clone(),
        ..NewJob::default()
    };
    let jobs: Vec<NewJob> = data.iter().map(job).collect();
    queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect()
}

/// A queue with jobs, and the server that does them.
struct World {
    queue: Queue,
    ids: Vec<String>,
    receiver: Receiver,
    forward: Arc<Forward>,
    ticker: Ticker,
}

impl World {
    async fn new(
        name: &str,
        data: &[&str],
        reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(name, data, |options| options, reply).await
    }

    async fn with(
        name: &str,
        data: &[&str],
        change: impl FnOnce(ForwardOptions) -> ForwardOptions,
        reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let queue = queue(&format!("forward-{name}")).await;
        let ids = add(&queue, data).await;
        let receiver = Receiver::start(reply).await;
        let forward = Forward::new(change(options(&receiver.url))).unwrap();
        let forward = Arc::new(forward);
        let options = TickOptions::default();
        let ticker = Ticker::new(queue.clone(), forward.clone(), options, Clock::System);
        Self { queue, ids, receiver, forward, ticker }
    }

    async fn tick(&self) -> Report {
        self.ticker.tick(Instant::now() + Duration::from_secs(30)).await
    }

    /// Each job's state and the attempts that it has made.
    async fn jobs(&self) -> Vec<(State, u32)> {
        let mut jobs = Vec::new();
        for id in &self.ids {
            let job = self.queue.job(id).await.unwrap().unwrap();
            let attempts = job.fields.get("atm").map_or(0, |atm| atm.parse().unwrap());
            jobs.push((job.state.expect("it is in some state"), attempts));
        }
        jobs
    }

    async fn field(&self, place: usize, name: &str) -> Option<String> {
        self.queue.job(&self.ids[place]).await.unwrap().unwrap().fields.remove(name)
    }
}

/// Waits again as it was.
const BACK: (State, u32) = (State::Wait, 0);
/// Has failed its first attempt, and waits for the second.
const AGAIN: (State, u32) = (State::Delayed, 1);
const DONE: (State, u32) = (State::Completed, 1);
const FAILED: (State, u32) = (State::Failed, 1);

#[tokio::test]
async fn a_request_says_all_that_its_jobs_need() {
    let world = World::new("request", &["a", "b"], |request| all(request, "completed")).await;
    let before = Clock::System.now_ms();
    let report = world.tick().await;
    assert_eq!((report.completed, report.counters.get("requests")), (2, 1), "{report:?}");
    let seen = world.receiver.seen().remove(0);
    let body = &seen.body;
    assert_eq!((&body["queue"], &body["timeoutMs"]), (&json!("forward-request"), &json!(15_000)));
    assert_eq!(body["claim"].as_str().unwrap().len(), 32);
    assert!((before..before + 30_000).contains(&body["sentAt"].as_i64().unwrap()));
    let job = &body["jobs"][1];
    let id = world.ids[1].as_str();
    assert_eq!((&job["id"], &job["name"], &job["data"]), (&json!(id), &json!("job"), &json!("b")));
    assert_eq!(
        (&job["attempt"], &job["attempts"], &job["priority"]),
        (&json!(1), &json!(3), &json!(0))
    );
    assert_eq!(job["idempotencyKey"], json!(format!("{id}:1")));
    assert!(job["timestamp"].as_i64().unwrap() <= before && job.get("dataIsJson").is_none());
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("batchmq-timeout-ms"), "15000");
    assert!(seen.header("webhook-id").starts_with("batch_"), "{seen:?}");
}

#[tokio::test]
async fn each_job_ends_as_the_receiver_says() {
    let words = ["completed", "failed", "retry", "unrecoverable", "postponed", "accepted"];
    let world = World::new("ends", &words, |request| {
        let entry = |job: &Value| {
            json!({ "id": job["id"], "status": job["data"], "returnvalue": {"n": 1}, "reason": "told to",
                "delayMs": 5_000, "lockMs": 120_000 })
        };
        let jobs: Vec<Value> = request["jobs"].as_array().unwrap().iter().rev().map(entry).collect();
        receiver::json(&json!({ "jobs": jobs }))
    })
    .await;
    let report = world.tick().await;
    assert_eq!(
        world.jobs().await,
        [DONE, AGAIN, AGAIN, FAILED, BACK, (State::Active, 0)],
        "{report:?}"
    );
    assert_eq!(world.field(0, "returnvalue").await.as_deref(), Some("{\"n\":1}"));
    assert_eq!(world.field(1, "failedReason").await.as_deref(), Some("told to"));
    let delays = [world.field(1, "delay").await, world.field(2, "delay").await];
    assert_eq!(delays, [Some("60000".to_owned()), Some("5000".to_owned())]);
    let counts = (report.completed, report.retried, report.failed, report.released, report.kept);
    // What was postponed is met once more, and goes back unsent.
    assert_eq!((counts, report.lost), ((1, 2, 1, 2, 1), 0), "{report:?}");
    assert_eq!(world.receiver.sizes(), [6]);
    let lock = format!("bull:forward-ends:{}:lock", world.ids[5]);
    let left = world.queue.redis().call(Command::new("PTTL").arg(lock)).await.unwrap();
    assert!((110_000..=120_000).contains(&left.as_int().unwrap()), "{left:?}");
}

#[tokio::test]
async fn what_an_answer_leaves_open_has_failed_its_attempt() {
    let world = World::new("open", &["missing", "twice", "malformed", "fine"], |request| {
        let id = |place: usize| &request["jobs"][place]["id"];
        let done = |id: &Value| json!({ "id": id, "status": "completed" });
        let malformed = json!({ "id": id(2), "status": 7 });
        let jobs = [
            done(id(1)),
            done(&json!("unknown")),
            done(id(1)),
            malformed,
            json!(null),
            done(id(3)),
        ];
        receiver::json(&json!({ "jobs": jobs }))
    })
    .await;
    world.tick().await;
    assert_eq!(world.jobs().await, [AGAIN, AGAIN, AGAIN, DONE]);
    for (place, said) in
        ["does not name this job", "names this job twice", "is malformed"].iter().enumerate()
    {
        let reason = world.field(place, "failedReason").await.unwrap();
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn what_is_no_answer_fails_the_attempt_of_all() {
    let text = r#"{"jobs":[{"id":"1","status":"completed"},{"id":"2","status":"completed"}]}"#;
    for (name, code, kind, body) in [
        ("torn", 200, "application/json", "{\"jobs\":["),
        ("empty", 200, "application/json", ""),
        ("text", 200, "text/plain", text),
        ("201-text", 201, "text/plain", text),
        ("204", 204, "application/json", ""),
    ] {
        let head: &'static str = format!("content-type: {kind}\r\n").leak();
        let reply = move |_: &Value| Reply::Answer(code, head, body.to_owned());
        let world = World::new(name, &["a", "b"], reply).await;
        world.tick().await;
        assert_eq!(world.jobs().await, [AGAIN, AGAIN], "{name}");
        assert_eq!(world.receiver.sizes(), [2], "{name}");
    }
}

#[tokio::test]
async fn an_answer_counts_with_any_status_of_success() {
    let world = World::new("201", &["a", "b"], |request| match all(request, "completed") {
        Reply::Answer(_, head, body) => Reply::Answer(201, head, body),
        other => other,
    })
    .await;
    world.tick().await;
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![DONE; 2], vec![2]));
}

/// And ends the tick: the second batch, if there is one, waits for the next.
async fn goes_back(name: &str, reply: fn(&Value) -> Reply, error: &str) -> World {
    let world = World::new(name, &["a", "b"], reply).await;
    let report = world.tick().await;
    assert_eq!(world.jobs().await, [BACK, BACK], "{name}");
    assert_eq!((report.stopped_because, report.released), (StoppedBecause::Error, 2), "{name}");
    let told = report.error.unwrap();
    assert!(told.contains(error) && !told.contains(&world.receiver.url), "{name}: {told}");
    assert_eq!(world.receiver.sizes(), [2], "{name}");
    world
}

#[tokio::test]
async fn a_receiver_that_takes_no_requests_costs_no_attempt() {
    goes_back("401", |_| status(401), "status 401").await;
    goes_back("403", |_| status(403), "status 403").await;
    goes_back("404", |_| status(404), "status 404").await;
    goes_back("405", |_| status(405), "status 405").await;
    goes_back("410", |_| status(410), "status 410").await;
    goes_back(
        "redirect",
        |_| Reply::Answer(307, "location: /jobs\r\n", String::new()),
        "status 307",
    )
    .await;
    let page = |_: &Value| {
        Reply::Answer(200, "content-type: text/html; charset=utf-8\r\n", "<p>".to_owned())
    };
    goes_back("page", page, "page of HTML").await;
}

#[tokio::test]
async fn a_receiver_that_is_not_there_costs_no_attempt() {
    let world = World::with(
        "unreachable",
        &["a", "b"],
        // Nobody listens on this port: ephemeral ones begin higher.
        |options| ForwardOptions { url: Secret::new("http://127.0.0.1:9/jobs"), ..options },
        |_| Reply::Hang,
    )
    .await;
    let report = world.tick().await;
    assert_eq!(world.jobs().await, [BACK, BACK]);
    assert_eq!((report.stopped_because, report.batches), (StoppedBecause::Error, 1), "{report:?}");
    let error = "the receiver cannot be reached: no connection";
    assert_eq!(report.error.as_deref(), Some(error));
    let unknown = options("https://nobody.invalid/jobs");
    let forward = Forward::new(unknown).unwrap();
    let jobs = [shared::engine::testing::job("1", "1")];
    let error = shared::engine::testing::run(&forward, &jobs).await.unwrap_err().to_string();
    assert!(error.starts_with("the receiver cannot be reached"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_has_too_much_to_do_is_left_alone_for_as_long_as_it_says() {
    let busy = |_: &Value| Reply::Answer(429, "retry-after: 600\r\n", String::new());
    let world = goes_back("429", busy, "status 429").await;
    let resting = world.forward.resting().unwrap();
    assert!((590..=600).contains(&resting.as_secs()), "{resting:?}");
    // Nothing is claimed meanwhile.
    let report = world.tick().await;
    assert_eq!((report.claimed, report.stopped_because), (0, StoppedBecause::Held), "{report:?}");
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![BACK, BACK], vec![2]));
    let world = goes_back("503", |_| status(503), "status 503").await;
    assert_eq!(world.forward.resting(), None);
}

/// Answers all jobs, but not as long as there are more of them than `most`.
fn at_most(most: usize) -> impl Fn(&Value) -> Reply + Send + Sync + 'static {
    move |request| match request["jobs"].as_array().unwrap().len() > most {
        true => status(413),
        false => all(request, "completed"),
    }
}

#[tokio::test]
async fn what_is_too_large_goes_in_halves_from_then_on() {
    let world = World::new("413", &["a", "b", "c", "d", "e", "f", "g"], at_most(2)).await;
    world.tick().await;
    assert_eq!(world.jobs().await, [DONE; 7]);
    assert_eq!(world.receiver.sizes()[..3], [7, 3, 1], "the first try tells how many fit");
    let ids = add(&world.queue, &["h", "i"]).await;
    world.tick().await;
    assert_eq!(super::states(&world.queue, &ids).await, [State::Completed; 2]);
    let alone = World::new("413-alone", &["a"], |_| status(413)).await;
    alone.tick().await;
    assert_eq!(alone.jobs().await, [AGAIN]);
}

/// Fails what has one of these data in it, as `how` says, and answers the rest.
fn fails(
    bad: &'static [&'static str],
    how: fn() -> Reply,
) -> impl Fn(&Value) -> Reply + Send + Sync + 'static {
    move |request| {
        let jobs = request["jobs"].as_array().unwrap();
        match jobs.iter().any(|job| bad.contains(&job["data"].as_str().unwrap())) {
            true => how(),
            false => all(request, "completed"),
        }
    }
}

#[tokio::test]
async fn a_job_that_its_receiver_fails_over_fails_alone() {
    let long = || Reply::Answer(200, "content-type: application/json\r\n", "x".repeat(6_000_001));
    type Case = (&'static str, fn() -> Reply, &'static str);
    let cases: [Case; 5] = [
        ("500", || status(500), "The receiver answered with status 500"),
        ("502", || status(502), "The receiver answered with status 502"),
        ("400", || status(400), "The receiver answered with status 400"),
        ("long", long, "The receiver's answer is longer than 6 MB"),
        ("break", || Reply::Break, "The receiver broke the connection"),
    ];
    for (name, how, reason) in cases {
        let world = World::new(name, &["a", "b", "c", "d", "bad"], fails(&["bad"], how)).await;
        let report = world.tick().await;
        assert_eq!(world.jobs().await, [DONE, DONE, DONE, DONE, AGAIN], "{name}: {report:?}");
        assert_eq!(world.field(4, "failedReason").await.as_deref(), Some(reason));
        assert_eq!(report.stopped_because, StoppedBecause::Empty, "{name}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_once_costs_nothing() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let world = World::new("break-once", &["a", "b"], move |request| {
        match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => Reply::Break,
            false => all(request, "completed"),
        }
    })
    .await;
    world.tick().await;
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![DONE, DONE], vec![2, 2]));
    let seen = world.receiver.seen();
    assert_ne!(
        seen[0].header("webhook-id"),
        seen[1].header("webhook-id"),
        "or it would be a replay"
    );
    assert_eq!(seen[0].body["jobs"], seen[1].body["jobs"], "with the same idempotency keys");
}

#[tokio::test]
async fn a_job_that_takes_too_long_fails_alone_and_its_mates_complete() {
    let brief = |options| ForwardOptions { timeout: Duration::from_secs(1), ..options };
    let words = ["a", "b", "c", "d", "e", "f", "g", "slow"];
    let world = World::with("slow", &words, brief, fails(&["slow"], || Reply::Hang)).await;
    world.tick().await;
    let jobs = world.jobs().await;
    assert_eq!((&jobs[..7], jobs[7]), (&[DONE; 7][..], AGAIN), "{:?}", world.receiver.sizes());
    let reason = world.field(7, "failedReason").await;
    assert_eq!(reason.as_deref(), Some("The receiver did not answer within 1000 ms"));
    // It remembers that so many are too much, and is quicker the next time.
    let before = world.receiver.sizes().len();
    add(&world.queue, &["h", "i", "j", "k", "l"]).await;
    world.tick().await;
    assert!(world.receiver.sizes()[before] < 5, "{:?}", world.receiver.sizes());
}

#[tokio::test]
async fn a_request_that_had_less_than_its_time_makes_none_smaller() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let world = World::new("brief", &["a", "b", "c", "d"], move |request| {
        match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => Reply::Hang,
            false => all(request, "completed"),
        }
    })
    .await;
    let report = world.ticker.tick(Instant::now() + Duration::from_millis(4_500)).await;
    assert_eq!(world.jobs().await, [BACK; 4], "{report:?}");
    world.tick().await;
    assert_eq!((world.jobs().await, world.receiver.sizes()), (vec![DONE; 4], vec![4, 4]));
}

#[tokio::test]
async fn a_receiver_that_fails_job_after_job_costs_few_of_them_an_attempt() {
    let words = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let world = World::new("broken", &words, |_| status(500)).await;
    let report = world.tick().await;
    let jobs = world.jobs().await;
    assert_eq!((&jobs[..3], &jobs[3..]), (&[AGAIN; 3][..], &[BACK; 5][..]), "{report:?}");
    assert!(world.forward.resting().is_some());
    let sent = world.receiver.sizes().len();
    assert!(sent <= 8, "{sent}");
    world.tick().await;
    assert_eq!(world.receiver.sizes().len(), sent, "it rests");
}

#[tokio::test]
async fn what_is_answered_before_the_time_is_up_counts_and_the_rest_goes_back() {
    let brief = |options| ForwardOptions { timeout: Duration::from_secs(2), ..options };
    let reply = |request: &Value| match request["jobs"].as_array().unwrap().len() {
        1 if request["jobs"][0]["data"] == "a" => all(request, "completed"),
        2.. => status(500),
        _ => Reply::Hang,
    };
    let world = World::with("deadline", &["a", "b"], brief, reply).await;
    // The tick stops 3 s before: it has 2.5 s, of which the second request would need 2.
    let report = world.ticker.tick(Instant::now() + Duration::from_millis(4_500)).await;
    assert_eq!(world.jobs().await, [DONE, BACK], "{report:?}");
    assert_eq!(report.stopped_because, StoppedBecause::Deadline);
}

#[tokio::test]
async fn what_was_answered_before_the_receiver_closed_counts() {
    let reply = |request: &Value| match request["jobs"].as_array().unwrap().len() {
        1 if request["jobs"][0]["data"] == "a" => all(request, "completed"),
        2.. => status(500),
        _ => status(503),
    };
    let world = World::new("closes", &["a", "b"], reply).await;
    let report = world.tick().await;
    assert_eq!((world.jobs().await, report.completed), (vec![DONE, BACK], 1), "{report:?}");
}

/// Ticks until `bad` has failed its attempt and the others, all of them, are done: at most so many times.
async fn is_found_out(world: &World, bad: usize, ticks: usize, pause: Duration) {
    let mut ends = vec![DONE; world.ids.len()];
    ends[bad] = AGAIN;
    for _ in 0..ticks {
        world.tick().await;
        if world.jobs().await == ends {
            return;
        }
        tokio::time::sleep(pause).await;
    }
    panic!("{:?} after {:?}", world.jobs().await, world.receiver.sizes());
}

#[tokio::test]
async fn a_job_that_takes_its_receiver_down_is_found_out() {
    let pause = Duration::from_secs(2);
    let die = || Reply::Die(Duration::from_secs(2));
    let words = ["a", "bad", "b", "c", "d", "e", "f", "g"];
    let world = World::new("dies", &words, fails(&["bad"], die)).await;
    is_found_out(&world, 1, 8, pause + Duration::from_millis(200)).await;
    let reason = world.field(1, "failedReason").await;
    assert_eq!(reason.as_deref(), Some("The receiver broke the connection"));
}

#[tokio::test]
async fn a_job_after_which_a_proxy_has_no_receiver_is_found_out() {
    let is_down = std::sync::atomic::AtomicBool::new(false);
    let reply = fails(&["bad"], || status(502));
    let world = World::new("502-503", &["a", "b", "c", "bad"], move |request| {
        if is_down.swap(false, std::sync::atomic::Ordering::Relaxed) {
            return status(503);
        }
        let reply = reply(request);
        let is_bad = matches!(reply, Reply::Answer(502, ..));
        is_down.store(is_bad, std::sync::atomic::Ordering::Relaxed);
        reply
    })
    .await;
    is_found_out(&world, 3, 6, Duration::ZERO).await;
    assert_eq!(world.receiver.sizes()[..3], [4, 2, 2]);
}

#[tokio::test]
async fn a_job_that_its_receiver_refuses_is_found_out_where_others_are_answered() {
    for code in [401, 404, 410] {
        let name = format!("refuses-{code}").leak();
        let reply = move |request: &Value| match fails(&["bad"], || status(404))(request) {
            Reply::Answer(404, ..) => status(code),
            answer => answer,
        };
        let mut world = World::new(name, &["first"], reply).await;
        world.tick().await;
        world.ids.extend(add(&world.queue, &["a", "bad", "b", "c"]).await);
        is_found_out(&world, 2, 5, Duration::ZERO).await;
        let reason = world.field(2, "failedReason").await.unwrap();
        assert_eq!(reason, format!("The receiver answered with status {code}"));
    }
}

#[tokio::test]
async fn a_receiver_that_begins_to_refuse_all_costs_few_jobs_an_attempt() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let mut world = World::new("revoked", &["first"], move |request| {
        match first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => all(request, "completed"),
            false => status(401),
        }
    })
    .await;
    world.tick().await;
    world.ids.extend(add(&world.queue, &["a", "b", "c", "d", "e", "f"]).await);
    for _ in 0..6 {
        world.tick().await;
    }
    let jobs = world.jobs().await;
    assert_eq!((&jobs[1..4], &jobs[4..]), (&[AGAIN; 3][..], &[BACK; 3][..]));
}

#[tokio::test]
async fn an_end_that_is_asked_for_does_not_cost_what_is_done() {
    let reply = |request: &Value| match request["jobs"].as_array().unwrap().len() {
        1 if request["jobs"][0]["data"] == "a" => all(request, "completed"),
        2.. => status(500),
        _ => Reply::Hang,
    };
    let world = World::new("stop", &["a", "b"], reply).await;
    let (stopper, stop) = Stopper::new();
    let begun = Instant::now();
    let (report, ()) =
        tokio::join!(world.ticker.tick_until(begun + Duration::from_secs(60), &stop), async {
            while world.receiver.sizes().len() < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stopper.stop();
        });
    assert_eq!(world.jobs().await, [DONE, BACK], "{report:?}");
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn after_202_jobs_stay_with_the_receiver_until_their_lock_is_over() {
    let world = World::new("202", &["a", "b"], |_| {
        Reply::Answer(202, "content-type: application/json\r\n", "{\"lockMs\":1000}".to_owned())
    })
    .await;
    let report = world.tick().await;
    assert_eq!((world.jobs().await, report.kept), (vec![(State::Active, 0); 2], 2));
    // A peer leaves them alone while the locks live.
    world.tick().await;
    assert_eq!(world.receiver.sizes(), [2]);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    // Two looks for dead owners: the first one suspects, and both are half a minute apart.
    for _ in 0..2 {
        let check = Command::new("DEL").arg("bull:forward-202:stalled-check");
        world.queue.redis().call(check).await.unwrap();
        world.tick().await;
    }
    assert_eq!(world.receiver.sizes(), [2, 2], "they were brought back, and sent again");
    let keys = |seen: &receiver::Seen| -> HashSet<String> {
        let jobs = seen.body["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["idempotencyKey"].to_string()).collect()
    };
    let seen = world.receiver.seen();
    assert_eq!(keys(&seen[0]), keys(&seen[1]), "no attempt was counted");
}

#[tokio::test]
async fn a_202_counts_whatever_its_body_is() {
    let world = World::new("202-html", &["a"], |_| {
        Reply::Answer(202, "content-type: text/html; charset=utf-8\r\n", "Accepted".to_owned())
    })
    .await;
    let report = world.tick().await;
    assert_eq!((world.jobs().await, report.kept), (vec![(State::Active, 0)], 1), "{report:?}");
}

#[tokio::test]
async fn data_that_is_no_json_and_ids_that_are_no_text_have_an_end() {
    let world = World::new("odd", &[], |request| all(request, "completed")).await;
    let opts = JobOptions { attempts: 3, ..JobOptions::default() };
    let torn = NewJob { name: "job".to_owned(), data: "{}".to_owned(), opts, ..NewJob::default() };
    let id = world.queue.enqueue(&[torn]).await.unwrap().remove(0).id;
    let redis = world.queue.redis();
    let base = "bull:forward-odd:";
    let tear = Command::new("HSET").arg(format!("{base}{id}")).arg("data").arg("{torn");
    redis.call(tear).await.unwrap();
    let odd = [b"\xff\xfe".as_slice()].concat();
    let key = [base.as_bytes(), &odd].concat();
    redis.call(Command::new("HSET").arg(key.clone()).arg("name").arg("x")).await.unwrap();
    redis.call(Command::new("LPUSH").arg(format!("{base}wait")).arg(odd)).await.unwrap();
    let report = world.tick().await;
    assert_eq!((report.completed, report.failed), (1, 1), "{report:?}");
    let seen = world.receiver.seen().remove(0);
    assert_eq!(seen.words(), ["{torn"]);
    assert_eq!(seen.body["jobs"][0]["dataIsJson"], false);
    let reason = redis.call(Command::new("HGET").arg(key).arg("failedReason")).await.unwrap();
    assert!(reason.as_str().unwrap().contains("not UTF-8"), "{reason:?}");
}
