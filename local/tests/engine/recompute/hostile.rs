//! Drains jobs that another producer wrote straight into Redis, and that ours never would: ids and data of any form and
//! length. Each has an end, with its score or with its reason, and holds up none of its mates.

use shared::redis::Command;

use super::world::World;

/// How a job ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Scored,
    /// With a reason that begins so.
    Failed(&'static str),
}

const MALFORMED: End = End::Failed("Malformed job data");

/// A job as it stands in Redis.
#[derive(Clone)]
struct Job {
    id: Vec<u8>,
    fields: Vec<(&'static str, Vec<u8>)>,
    end: End,
}

impl Job {
    fn new(id: impl Into<Vec<u8>>, data: impl Into<Vec<u8>>, end: End) -> Self {
        let fields = vec![
            ("name", b"deo_score_recompute".to_vec()),
            ("data", data.into()),
            ("opts", br#"{"attempts":3}"#.to_vec()),
            ("timestamp", b"1800000000000".to_vec()),
        ];
        Self { id: id.into(), fields, end }
    }

    fn with(mut self, field: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.fields.retain(|(name, _)| *name != field);
        self.fields.push((field, value.into()));
        self
    }

    /// For messages: its id and data, as much as can be read.
    fn shown(&self) -> String {
        let short =
            |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let data = self.fields.iter().find(|(name, _)| *name == "data");
        format!("{:?} with {:?}", short(&self.id), data.map(|(_, data)| short(data)))
    }
}

const GOOD: &str = r#"{"projectId":"p0000"}"#;

/// Ids that are as good as any other, whatever they look like.
fn ids() -> Vec<Job> {
    let ids: Vec<Vec<u8>> = vec![
        b"a:b".to_vec(),
        b"a:b:c:d:e".to_vec(),
        b"a%2Fb%00".to_vec(),
        b"../../meta".to_vec(),
        b"nul\0id".to_vec(),
        b"\0".to_vec(),
        b"\r\n*1\r\n$8\r\nFLUSHALL\r\n".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"half a surrogate \xed\xa0\x80".to_vec(),
        b"\\xff".to_vec(),
        b"\x1b[2J".to_vec(),
        "\u{202e}gnp".into(),
        b"{tag}".to_vec(),
        b" ".to_vec(),
        b"'; DROP TABLE \"Project\"; --".to_vec(),
        b"-1".to_vec(),
        b"1e400".to_vec(),
        b"NaN".to_vec(),
        b"__proto__".to_vec(),
        vec![b'i'; 1_000_000],
        vec![0; 1_000_000],
        vec![0xff; 100_000],
        "\"".repeat(1_000_000).into(),
    ];
    ids.into_iter().map(|id| Job::new(id, GOOD, End::Scored)).collect()
}

/// Data of which some name a project.
fn payloads() -> Vec<Job> {
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        format!("{open}{close}")
    };
    let padded = |pad: &str| format!(r#"{{"pad":{pad},"projectId":"p0000"}}"#);
    let data: Vec<(Vec<u8>, End)> = vec![
        (padded(&deep("[", "]")).into(), End::Scored),
        (padded(&deep("{\"a\":", "}").replacen(":}", ":1}", 1)).into(), End::Scored),
        (padded(&format!("\"{}\"", "x".repeat(6_000_000))).into(), End::Scored),
        (padded("\"\u{0}\"").into(), MALFORMED),
        (padded("\"\\u0000\\ud800\"").into(), End::Scored),
        (padded("1e999").into(), End::Scored),
        (b"{\"projectId\":\"p0000\",\"x\":\"\xff\xfe\"}".to_vec(), End::Scored),
        (deep("[", "]").into(), MALFORMED),
        ("[".repeat(1_000_000).into(), MALFORMED),
        ("{\"projectId\":".repeat(100_000).into(), MALFORMED),
        (format!("{{\"projectId\":{}", deep("[", "]}")).into(), MALFORMED),
        ("x".repeat(6_000_000).into(), MALFORMED),
        (b"".to_vec(), MALFORMED),
        (b"\0".to_vec(), MALFORMED),
        (b"\xff\xfe".to_vec(), MALFORMED),
        (b"not json".to_vec(), MALFORMED),
        (b"{\"projectId\":\"p0000\"} and more".to_vec(), MALFORMED),
        (b"\"p0000\"".to_vec(), MALFORMED),
        (b"null".to_vec(), MALFORMED),
        (b"[\"p0000\"]".to_vec(), MALFORMED),
        (b"{\"projectId\":null}".to_vec(), MALFORMED),
        (b"{\"projectId\":{\"$ne\":null}}".to_vec(), MALFORMED),
        (b"{\"projectId\":\"\"}".to_vec(), MALFORMED),
        (b"{\"projectId\":\"a\\u0000b\"}".to_vec(), MALFORMED),
        (format!("{{\"projectId\":\"{}\"}}", "p".repeat(1_000_000)).into(), MALFORMED),
        (b"{\"projectId\":\"a:b/%2F\"}".to_vec(), End::Failed("Project not found: a:b/%2F")),
        (b"{\"projectId\":\"\\u001b[2J\"}".to_vec(), End::Failed("Project not found: ")),
    ];
    let named =
        |(n, (data, end)): (usize, (Vec<u8>, End))| Job::new(format!("payload-{n}"), data, end);
    data.into_iter().enumerate().map(named).collect()
}

/// The other fields of a job.
fn others() -> Vec<Job> {
    let good = |n: &str| Job::new(format!("other-{n}"), GOOD, End::Scored);
    let deep = "[".repeat(100_000);
    vec![
        good("deep opts").with("opts", format!(r#"{{"attempts":{deep}"#)),
        good("huge opts")
            .with("opts", format!(r#"{{"attempts":2,"x":"{}"}}"#, "x".repeat(1_000_000))),
        good("no json opts").with("opts", b"\xff\0".to_vec()),
        good("wrong opts")
            .with("opts", r#"{"attempts":{},"backoff":[],"removeOnComplete":"x","de":7}"#),
        good("huge name").with("name", vec![b'n'; 1_000_000]),
        good("odd name").with("name", b"\xff\0\x1b".to_vec()),
        good("odd time").with("timestamp", "9".repeat(400)),
        good("no time").with("timestamp", b"\xff".to_vec()),
        good("priority").with("priority", "-1e300"),
        good("stack").with("stacktrace", deep),
        good("dedup").with("deid", "d".repeat(1_000_000)),
        good("dedup nul").with("deid", "\0".repeat(500_000)),
        good("parent").with("parentKey", "x".repeat(1_000_000)),
        good("trace").with("opts", format!(r#"{{"tm":"{}"}}"#, "t".repeat(1_000_000))),
        Job::new("no data", "", End::Failed("Malformed job data")).with("data", b"".to_vec()),
    ]
}

fn key(name: &[u8]) -> Vec<u8> {
    [b"engineo:deo_score_queue:", name].concat()
}

/// Drains `jobs`, each between two mates, and checks how all of them end.
async fn drain(world: &World, jobs: &[Job]) {
    world.numbered(1).await;
    let mut redis = redis::Client::open(world.redis.url()).unwrap().get_connection().unwrap();
    let mut mates = Vec::new();
    for (n, job) in jobs.iter().enumerate() {
        for job in [job, &Job::new(format!("mate-{n}"), GOOD, End::Scored)] {
            let mut hash = redis::cmd("HSET");
            hash.arg(key(&job.id));
            for (name, value) in &job.fields {
                hash.arg(*name).arg(&value[..]);
            }
            hash.exec(&mut redis).unwrap();
            redis::cmd("LPUSH").arg(key(b"wait")).arg(&job.id[..]).exec(&mut redis).unwrap();
        }
        mates.push(format!("mate-{n}"));
    }
    for _ in 0..3 {
        let report = world.tick().await;
        assert_eq!(
            (report.error.as_deref(), report.lost, report.missing),
            (None, 0, 0),
            "{report:?}"
        );
        assert_eq!((report.retried, report.released), (0, 0), "{report:?}");
    }
    let mut end_of = |id: &[u8]| -> (Option<f64>, Option<f64>, Option<Vec<u8>>) {
        redis::pipe()
            .cmd("ZSCORE")
            .arg(key(b"completed"))
            .arg(id)
            .cmd("ZSCORE")
            .arg(key(b"failed"))
            .arg(id)
            .cmd("HGET")
            .arg(key(id))
            .arg("failedReason")
            .query(&mut redis)
            .unwrap()
    };
    for job in jobs {
        let (completed, failed, reason) = end_of(&job.id);
        let reason = reason.map(|reason| String::from_utf8_lossy(&reason).into_owned());
        match job.end {
            End::Scored => assert!(completed.is_some(), "{}: {reason:?}", job.shown()),
            End::Failed(why) => {
                assert!(failed.is_some(), "{} did not fail", job.shown());
                let reason = reason.unwrap_or_default();
                assert!(reason.starts_with(why) && reason.len() < 500, "{}: {reason}", job.shown());
            }
        }
    }
    for mate in &mates {
        assert!(end_of(mate.as_bytes()).0.is_some(), "{mate}, which has no fault");
    }
    let counts = world.counts().await;
    assert_eq!((counts.wait, counts.active, counts.delayed), (0, 0, 0), "{counts:?}");
    assert_eq!((counts.completed + counts.failed) as usize, 2 * jobs.len());
    let locks = Command::new("KEYS").arg("engineo:deo_score_queue:*:lock");
    assert_eq!(world.call(locks).await.as_array().unwrap().len(), 0, "a lock was left");
    // One snapshot a job that was scored, and no id was taken for another.
    let scored = jobs.iter().filter(|job| job.end == End::Scored).count() + mates.len();
    assert_eq!(world.snapshots().await["p0000"] as usize, scored);
}

/// Over TCP and over REST.
async fn worlds() -> [World; 2] {
    let rest = fixture::World::builder().own_redis().gateway(|_| ()).database("");
    let mut worlds = [World::new().await, World::of(rest.start().await)];
    for world in &mut worlds {
        // All stay, to be looked at.
        world.set("QUEUE_METRICS_MINUTES", "5");
    }
    worlds
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_any_id_are_scored() {
    for world in worlds().await {
        drain(&world, &ids()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_any_data_end_alone() {
    for world in worlds().await {
        drain(&world, &payloads()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_any_other_fields_are_scored() {
    for world in worlds().await {
        drain(&world, &others()).await;
    }
}

/// More of them than one answer or one request of Upstash carries.
#[tokio::test(flavor = "multi_thread")]
async fn many_huge_ids_are_settled_in_as_many_requests_as_they_take() {
    for world in worlds().await {
        let id = |n: usize| format!("{n}{}", "i".repeat(1_000_000));
        let jobs: Vec<Job> = (0..20).map(|n| Job::new(id(n), GOOD, End::Scored)).collect();
        drain(&world, &jobs).await;
    }
}
