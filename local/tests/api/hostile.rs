//! Asks over HTTP for jobs that another producer wrote straight into Redis.

use reqwest::Method;
use shared::redis::Command;

use crate::world::World;

/// What Lambda hands on of an answer, in bytes.
const MOST_OF_AN_ANSWER: usize = 6_000_000;

impl World {
    /// Writes a job past the queue, where no check of ours is.
    async fn plant(&self, id: &[u8], fields: &[(&str, &[u8])]) {
        let base = format!("{}:{}:", self.config.queue.prefix, self.config.queue.name);
        let mut hash = Command::new("HSET").arg([base.as_bytes(), id].concat());
        for (name, value) in fields {
            hash = hash.arg(*name).arg(*value);
        }
        self.redis().call(hash).await.unwrap();
        let wait = Command::new("LPUSH").arg(format!("{base}wait")).arg(id);
        self.redis().call(wait).await.unwrap();
    }
}

const GOOD: &[u8] = br#"{"projectId":"p1"}"#;

#[tokio::test]
async fn a_job_of_any_id_is_shown_or_refused() {
    let world = World::start().await;
    let long = "i".repeat(191);
    let (longer, huge) = ("i".repeat(192), "i".repeat(20_000));
    for (id, escaped, status) in [
        (&b"a:b"[..], "a%3Ab", 200),
        (b"a:b:c:d:e", "a:b:c:d:e", 200),
        (b"a%2Fb", "a%252Fb", 200),
        (b"a/b", "a%2Fb", 200),
        (b"../../meta", "..%2F..%2Fmeta", 200),
        ("\u{202e}é".as_bytes(), "%E2%80%AE%C3%A9", 200),
        (b"\r\nx: y", "%0D%0Ax:%20y", 200),
        (b"\x1b[2J", "%1B%5B2J", 200),
        (b"__proto__", "__proto__", 200),
        (long.as_bytes(), &long, 200),
        // These cannot be asked for.
        (b"nul\0id", "nul%00id", 400),
        (b"\xff\xfe", "%FF%FE", 400),
        (longer.as_bytes(), &longer, 400),
        (huge.as_bytes(), &huge, 400),
        // Nor is half a name of it another's.
        (b"whole", "whol", 404),
    ] {
        world.plant(id, &[("name", b"n"), ("data", GOOD)]).await;
        let answer = world.get("owner", &format!("/jobs/{escaped}")).await;
        assert_eq!(answer.status, status, "{escaped:.80}: {:.300}", answer.text);
        if status == 200 {
            assert_eq!(answer.json()["id"].as_str().unwrap().as_bytes(), id);
            assert_eq!(answer.json()["state"], "waiting", "{escaped}");
            // For another user it is as any other project's.
            assert_eq!(world.get("other", &format!("/jobs/{escaped}")).await.status, 403);
        }
    }
    let queue = world.get("admin", "/queue").await;
    assert_eq!((queue.status, &queue.json()["counts"]["waiting"]), (200, &15.into()));
}

#[tokio::test]
async fn a_job_of_any_data_is_shown_if_it_names_a_project() {
    let world = World::start().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let padded = |pad: &str| format!(r#"{{"pad":{pad},"projectId":"p1"}}"#).into_bytes();
    let (objects, huge) = ("{\"projectId\":".repeat(100_000), "x".repeat(8_000_000));
    for (n, (data, status)) in [
        (padded(&deep), 200),
        (padded(&format!("\"{huge}\"")), 200),
        (deep.clone().into(), 404),
        (objects.into(), 404),
        (huge.clone().into(), 404),
        (b"\xff\0".to_vec(), 404),
        (b"".to_vec(), 404),
        (b"null".to_vec(), 404),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("job-{n}");
        world.plant(id.as_bytes(), &[("name", b"n"), ("data", &data)]).await;
        let answer = world.get("owner", &format!("/jobs/{id}")).await;
        assert_eq!(answer.status, status, "{id}: {:.300}", answer.text);
    }
    // What stands in its other fields.
    let numbers = "9".repeat(1_000_000);
    world
        .plant(
            b"odd",
            &[
                ("name", b"\xff"),
                ("data", GOOD),
                ("opts", deep.as_bytes()),
                ("atm", numbers.as_bytes()),
                ("attemptsMade", b"-1"),
                ("processedOn", b"\xff"),
                ("finishedOn", b"1e300"),
                ("failedReason", huge.as_bytes()),
                ("returnvalue", deep.as_bytes()),
            ],
        )
        .await;
    let value = format!("\"{huge}\"");
    let reason = "\u{1}".repeat(2_000_000);
    world
        .plant(
            b"huge",
            &[
                ("data", GOOD),
                ("failedReason", reason.as_bytes()),
                ("returnvalue", value.as_bytes()),
            ],
        )
        .await;
    for id in ["odd", "huge"] {
        let answer = world.get("owner", &format!("/jobs/{id}")).await;
        assert_eq!(answer.status, 200, "{:.300}", answer.text);
        assert_eq!(answer.json()["returnvalue"], serde_json::Value::Null);
        assert!(!answer.json()["failedReason"].as_str().unwrap().is_empty());
        let bytes = answer.text.len();
        assert!(bytes < MOST_OF_AN_ANSWER / 2, "{id} has an answer of {bytes} bytes");
    }
    assert_eq!(world.get("admin", "/queue").await.status, 200);
    let path = "/projects/p1/deo-score/recompute";
    assert_eq!(world.send(Method::POST, "owner", path, &[], "").await.status, 201);
}
