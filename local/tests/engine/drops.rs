//! Events of scores that fall, as a receiver gets them: each at least once under one id, and never in the way
//! of jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use drain::Drain;
use fixture::World;
use fixture::database_proxy::through_proxy;
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::http::{Secrets, Signature};
use tokio::net::TcpListener;
use tokio::time::Instant;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    headers: HeaderMap,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A receiver whose answers the test chooses.
#[derive(Clone, Default)]
pub(super) struct Receiver {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The status of the next answers, and afterwards 200.
    statuses: Arc<Mutex<Vec<u16>>>,
    /// The body of all answers.
    answer: Arc<Mutex<String>>,
}

impl Receiver {
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let it = Self::default();
        let receiver = it.clone();
        let take = move |headers: HeaderMap, body: Bytes| {
            let it = receiver.clone();
            async move { it.take(headers, &body) }
        };
        let router = Router::new().route("/", post(take.clone())).route("/drops", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (it, url)
    }

    fn take(&self, headers: HeaderMap, body: &[u8]) -> (StatusCode, String) {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        if let Some(id) = text("webhook-id") {
            let (timestamp, signatures) =
                (text("webhook-timestamp").unwrap(), text("webhook-signature").unwrap());
            let signature = Signature { id, timestamp, signatures };
            let now_ms = Clock::System.now_ms();
            Secrets::parse(SECRET).unwrap().verify(signature, body, now_ms).unwrap();
        }
        let body = serde_json::from_slice(body).unwrap();
        self.seen.lock().unwrap().push(Seen { headers, body });
        let mut statuses = self.statuses.lock().unwrap();
        let status = if statuses.is_empty() { 200 } else { statuses.remove(0) };
        (StatusCode::from_u16(status).unwrap(), self.answer.lock().unwrap().clone())
    }

    pub(super) fn answers(&self, statuses: &[u16]) {
        *self.statuses.lock().unwrap() = statuses.to_vec();
    }

    /// What came since it was last asked.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Projects whose score is 90, though they have no rows, where falls by 10 points are told.
pub(super) async fn world(projects: usize) -> (World, Vec<String>, Receiver) {
    let (receiver, url) = Receiver::start().await;
    let world = World::builder().own_redis().database("").set("DROP_EVENTS_POINTS", "10");
    let world = world.set("DROP_EVENTS_URL", &format!("{url}/drops"));
    let world = world.set("DROP_EVENTS_SECRET", SECRET).start().await;
    let projects = world.projects((0..projects).map(|n| format!("p{n:03}"))).await;
    rise(&world).await;
    (world, projects, receiver)
}

/// Gives every project the score of a better day.
async fn rise(world: &World) {
    let rise = r#"UPDATE "Project" SET "currentDeoScore" = 90,
        "currentDeoScoreComputedAt" = now() AT TIME ZONE 'UTC' - interval '1 hour'"#;
    world.database.batch_execute(rise).await.unwrap();
}

pub(super) fn drain(world: &World) -> Drain {
    Drain::new(&world.config()).unwrap()
}

pub(super) async fn tick(world: &World) -> shared::engine::Report {
    drain(world).tick(Instant::now() + Duration::from_secs(30)).await
}

/// `snapshot=outcome` of all events.
pub(super) async fn events(world: &World) -> BTreeMap<String, Option<String>> {
    let all = "SELECT snapshot_id, outcome FROM deo.score_drop";
    let rows = world.database.query(all, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// As if so much time had passed since the events came.
pub(super) async fn later(world: &World, time: &str) {
    let later = format!(
        "UPDATE deo.score_drop SET due_at = due_at - interval '{time}',
            created_at = created_at - interval '{time}'"
    );
    world.database.batch_execute(&later).await.unwrap();
}

#[tokio::test]
async fn a_fall_is_posted_once_and_signed_and_an_idle_tick_lets_postgres_sleep() {
    let (mut world, projects, receiver) = world(1).await;
    world.enqueue(&projects).await;
    let report = tick(&world).await;
    assert_eq!((report.completed, report.counters.get("dropsDelivered")), (1, 1), "{report:?}");
    let seen = receiver.seen();
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    let snapshot = seen.body["snapshotId"].as_str().unwrap();
    assert_eq!(events(&world).await[snapshot].as_deref(), Some("delivered"));
    let row = r#"SELECT "overallScore", to_char("computedAt", 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        FROM "DeoScoreSnapshot" WHERE id = $1"#;
    let row = world.database.query_one(row, &[&snapshot]).await.unwrap();
    let (score, read_at): (i32, String) = (row.get(0), row.get(1));
    let id = format!("drop_{snapshot}");
    assert_eq!(
        (seen.header("webhook-id"), seen.header("content-type")),
        (&*id, "application/json")
    );
    assert_eq!(
        seen.body,
        json!({
            "id": id, "type": "deo.score.dropped", "projectId": "p000", "from": 90, "to": score,
            "drop": 90 - score, "readAt": read_at, "snapshotId": snapshot,
        })
    );
    // Nothing is left, and nobody asks.
    let (url, watch) = through_proxy(&world.env["DATABASE_URL"].clone()).await;
    world.set("DATABASE_URL", &url);
    later(&world, "1 hour").await;
    assert_eq!(tick(&world).await.claimed, 0);
    assert_eq!((watch.connections.load(Ordering::SeqCst), receiver.seen().len()), (0, 0));
    // Where there is work it is three statements for the jobs and what is due.
    world.enqueue(&projects).await;
    tick(&world).await;
    assert_eq!((watch.statements(), receiver.seen().len()), (3, 0));
    world.set("DROP_EVENTS_POINTS", "");
    world.enqueue(&projects).await;
    tick(&world).await;
    assert_eq!(watch.statements(), 2, "none more where nothing is told");
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_by_drain_and_cron_under_one_id_for_a_day() {
    let (world, projects, receiver) = world(2).await;
    receiver.answers(&[500, 503, 302]);
    world.enqueue(&projects).await;
    let report = tick(&world).await;
    let counts = |name| report.counters.get(name);
    assert_eq!((report.completed, counts("dropsFailed"), counts("dropsDelivered")), (2, 2, 0));
    assert!(report.error.is_none(), "{report:?}");
    let ids = |seen: Vec<Seen>| -> BTreeSet<String> {
        seen.iter().map(|seen| seen.header("webhook-id").to_owned()).collect()
    };
    let first = ids(receiver.seen());
    assert_eq!(first.len(), 2);
    // Not before its time.
    world.enqueue(&projects[..1]).await;
    tick(&world).await;
    assert_eq!(receiver.seen().len(), 0);
    // One is redirected, which is not followed.
    later(&world, "31 seconds").await;
    world.enqueue(&projects[..1]).await;
    tick(&world).await;
    assert_eq!(ids(receiver.seen()), first);
    let open = async || events(&world).await.values().filter(|end| end.is_none()).count();
    assert_eq!(open().await, 1);
    // The night has time for it, too.
    later(&world, "1 hour").await;
    let night = world.night(Duration::from_secs(30)).await;
    assert_eq!((night.drops.delivered, night.error), (1, None));
    assert_eq!((open().await, receiver.seen().len()), (0, 1));
    // Nobody wants it any more, and nobody took it.
    rise(&world).await;
    receiver.answers(&[410, 500]);
    world.enqueue(&projects).await;
    let report = tick(&world).await;
    assert_eq!((report.counters.get("dropsGivenUp"), report.counters.get("dropsFailed")), (1, 1));
    receiver.seen();
    // Not before a last try.
    later(&world, "1 day 1 minute").await;
    receiver.answers(&[500]);
    let night = world.night(Duration::from_secs(30)).await;
    assert_eq!((night.drops.given_up, night.drops.failed), (0, 1));
    assert_eq!((open().await, receiver.seen().len()), (1, 1));
    later(&world, "1 hour").await;
    let night = world.night(Duration::from_secs(30)).await;
    assert_eq!((night.drops.given_up, night.drops.delivered), (1, 0));
    assert_eq!((open().await, receiver.seen().len()), (0, 0));
}

#[tokio::test]
async fn a_receiver_that_never_answers_costs_no_job_and_little_time() {
    let (mut world, projects, _) = world(3).await;
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.set("DROP_EVENTS_URL", &format!("http://{}/", silent.local_addr().unwrap()));
    world.set("DRAIN_TIMEOUT_MS", "9000");
    world.enqueue(&projects).await;
    let began = Instant::now();
    let report = tick(&world).await;
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!((report.completed, report.counters.get("dropsFailed")), (3, 3), "{report:?}");
    assert!(report.error.is_none());
    assert!(report.duration_ms >= 5_000, "it waited for an answer: {report:?}");
    assert_eq!((world.snapshots().await.len(), world.counts().await.active), (3, 0));
}

#[tokio::test]
async fn each_fall_has_one_id_whatever_fails() {
    let (mut world, projects, receiver) = world(120).await;
    let (url, watch) = through_proxy(&world.env["DATABASE_URL"].clone()).await;
    world.set("DATABASE_URL", &url);
    world.set("QUEUE_BATCH_SIZE", "10");
    let ids = world.enqueue(&projects).await;
    // Statements run whose answers are lost, those of reading, storing, claiming and ending alike; and half of
    // the receiver's answers are no good.
    watch.cuts.store(8, Ordering::SeqCst);
    receiver.answers(&[500, 200].repeat(40));
    for round in 0..6 {
        let drains = [drain(&world), drain(&world), drain(&world)];
        let ticks = drains.map(|drain| {
            tokio::spawn(async move { drain.tick(Instant::now() + Duration::from_secs(30)).await })
        });
        for tick in ticks {
            tick.await.unwrap();
        }
        if round < 3 {
            watch.cuts.store(4, Ordering::SeqCst);
            // A job that runs although it is done.
            world.enqueue(&projects[..5]).await;
        } else {
            watch.cuts.store(0, Ordering::SeqCst);
        }
        world.age().await;
        later(&world, "1 hour").await;
        world.enqueue(&projects[5..6]).await;
    }
    tick(&world).await;
    let events = events(&world).await;
    assert_eq!(events.len(), 120, "an event a project, whose score fell once");
    assert!(events.values().all(|end| end.as_deref() == Some("delivered")), "{events:?}");
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seen in receiver.seen() {
        let project = seen.body["projectId"].as_str().unwrap().to_owned();
        told.entry(project).or_default().insert(seen.header("webhook-id").to_owned());
    }
    assert_eq!(told.len(), 120, "each was told");
    let known: BTreeSet<String> = events.keys().map(|id| format!("drop_{id}")).collect();
    for (project, ids) in &told {
        assert_eq!(ids.len(), 1, "{project}: {ids:?}");
        assert!(ids.is_subset(&known), "{project}: {ids:?}");
    }
    assert!(ids.len() == 120);
}

#[tokio::test]
async fn events_go_to_a_bus_in_one_signed_request_and_those_that_it_refuses_again() {
    let (receiver, url) = Receiver::start().await;
    let mut world = World::builder().own_redis().database("");
    for (name, value) in [
        ("DROP_EVENTS_POINTS", "10"),
        ("DROP_EVENTS_BUS", "scores"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("AWS_SESSION_TOKEN", "a session"),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", &*url),
    ] {
        world = world.set(name, value);
    }
    let world = world.start().await;
    let projects = world.projects(["a", "b"].map(str::to_owned)).await;
    rise(&world).await;
    *receiver.answer.lock().unwrap() = json!({
        "FailedEntryCount": 1,
        "Entries": [{ "EventId": "1" }, { "ErrorCode": "ThrottlingException", "ErrorMessage": "…" }],
    })
    .to_string();
    world.enqueue(&projects).await;
    let report = tick(&world).await;
    let counts = |name| report.counters.get(name);
    assert_eq!((counts("dropsDelivered"), counts("dropsFailed")), (1, 1), "{report:?}");
    let seen = receiver.seen();
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(seen.header("x-amz-target"), "AWSEvents.PutEvents");
    assert_eq!(seen.header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(seen.header("x-amz-security-token"), "a session");
    let host = url.strip_prefix("http://").unwrap();
    assert_eq!(seen.header("host"), host, "the one that is signed");
    let signed = seen.header("authorization");
    assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signed}");
    assert!(signed.contains("/eu-central-1/events/aws4_request, SignedHeaders=content-type;host;"));
    let entries = seen.body["Entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let parts =
            ["Source", "DetailType", "EventBusName"].map(|name| entry[name].as_str().unwrap());
        assert_eq!(parts, ["engineo.deo", "deo.score.dropped", "scores"]);
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!((&detail["from"], &detail["type"]), (&json!(90), &json!("deo.score.dropped")));
    }
    // A refusal of the whole, and an answer about another number of events, take none.
    for (status, answer) in [
        (400, json!({ "__type": "com.amazon#AccessDeniedException" })),
        (
            200,
            json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }, { "EventId": "2" }] }),
        ),
    ] {
        later(&world, "1 hour").await;
        receiver.answers(&[status]);
        *receiver.answer.lock().unwrap() = answer.to_string();
        let night = world.night(Duration::from_secs(30)).await;
        assert_eq!((night.drops.failed, night.drops.delivered), (1, 0), "{answer}");
    }
}
