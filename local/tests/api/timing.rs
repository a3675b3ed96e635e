//! When a requested job runs, and for how long it stands for other requests.

use serde_json::{Value, json};
use shared::queue::Settlement;
use shared::redis::Command;

use crate::world::{Answer, World};

const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";
const HOUR: i64 = 3_600_000;

impl World {
    async fn ask(&self, body: Value) -> Answer {
        let answer = self.post("owner", RECOMPUTE, &body.to_string()).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (201, r#"{"projectId":"p1","enqueued":true}"#)
        );
        answer
    }

    /// Milliseconds that the project's deduplication key still lives.
    async fn window(&self) -> i64 {
        let queue = &self.config.queue;
        let key = format!("{}:{}:de:p1", queue.prefix, queue.name);
        self.redis().call(Command::new("PTTL").arg(key)).await.unwrap().as_int().unwrap()
    }

    async fn opts(&self, id: &str) -> Value {
        serde_json::from_str(&self.job_field(id, "opts").await.unwrap()).unwrap()
    }
}

fn id(answer: &Answer) -> (&str, Option<&str>) {
    (answer.header("x-job-id").unwrap(), answer.header("x-deduplicated"))
}

#[tokio::test]
async fn a_job_waits_as_long_as_it_was_asked_to() {
    let world = World::start().await;
    // A whole number, however it is written.
    let first = world.ask(json!({"delayMs": HOUR as f64})).await;
    assert_eq!(id(&first), ("1", None));
    let counts = world.queue().counts().await.unwrap();
    assert_eq!((counts.wait, counts.delayed), (0, 1));
    assert_eq!(world.job_field("1", "delay").await.as_deref(), Some("3600000"));
    // Asked for later once more, it stays where it is; asked for now, it goes to the front.
    assert_eq!(id(&world.ask(json!({"delayMs": 5})).await), ("1", Some("true")));
    assert_eq!(world.queue().counts().await.unwrap().delayed, 1);
    assert_eq!(id(&world.ask(json!({})).await), ("1", Some("true")));
    let counts = world.queue().counts().await.unwrap();
    assert_eq!((counts.wait, counts.delayed), (1, 0));
}

#[tokio::test]
async fn a_later_request_takes_the_place_of_a_delayed_job_where_it_says_so() {
    let world = World::start().await;
    world.ask(json!({"delayMs": HOUR})).await;
    let body =
        json!({"delayMs": HOUR, "reason": "after_import", "deduplication": {"replace": true}});
    assert_eq!(id(&world.ask(body).await), ("2", None));
    assert_eq!(world.job_field("1", "name").await, None, "gone");
    assert_eq!(world.queue().counts().await.unwrap().delayed, 1);
    assert_eq!(
        world.opts("2").await["de"],
        json!({"id": "p1", "replace": true, "keepLastIfActive": true})
    );
}

#[tokio::test]
async fn a_window_outlives_the_job_and_is_extended_only_where_asked() {
    let world = World::start().await;
    let within =
        |ttl: i64, extend: bool| json!({"deduplication": {"ttlMs": ttl, "extend": extend}});
    assert_eq!(id(&world.ask(within(HOUR, false)).await), ("1", None));
    assert_eq!(world.opts("1").await["de"], json!({"id": "p1", "ttl": HOUR}));
    let claim = world.claim().await;
    world.settle(claim, Settlement::Complete("null".to_owned())).await;
    assert_eq!(id(&world.ask(within(2 * HOUR, false)).await), ("1", Some("true")));
    assert!((HOUR - 60_000..=HOUR).contains(&world.window().await));
    assert_eq!(id(&world.ask(within(2 * HOUR, true)).await), ("1", Some("true")));
    assert!((2 * HOUR - 60_000..=2 * HOUR).contains(&world.window().await));
    assert_eq!(world.queue().counts().await.unwrap().wait, 0);
}

#[tokio::test]
async fn many_projects_share_a_timing() {
    let world = World::start().await;
    let body =
        json!({"projectIds": ["p1", "p2"], "delayMs": 60_000, "deduplication": {"ttlMs": HOUR}});
    let answer = world.post("owner", "/deo-score/recompute", &body.to_string()).await;
    assert_eq!(answer.json()["enqueued"], 2);
    assert_eq!(world.queue().counts().await.unwrap().delayed, 2);
    assert!(world.window().await > 0);
}

#[tokio::test]
async fn nothing_said_of_it_is_nothing_changed() {
    let world = World::start().await;
    world.ask(json!({"delayMs": null, "deduplication": null})).await;
    world.ask(json!({"delayMs": 0, "deduplication": {}})).await;
    let opts = world.opts("1").await;
    assert_eq!(opts["de"], json!({"id": "p1", "keepLastIfActive": true}));
    assert_eq!(opts["backoff"], json!({"type": "exponential", "delay": 5000, "jitter": 1.0}));
    assert_eq!(world.queue().counts().await.unwrap().wait, 1);
}
