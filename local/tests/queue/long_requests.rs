//! Jobs that are too many bytes for one request to Upstash.

use gateway::{Gateway, GatewayConfig};

use super::*;

const TOKEN: &str = "long-requests-token";

/// Quotes within a text, which grow most: four bytes each in a request. 40 jobs of 200 kB are 16 MB there.
const JOBS: usize = 40;
const QUOTES: usize = 100_000;

pub(super) async fn gateway(faults: &str) -> Gateway {
    gateway_to(&redis_server().await.url(), faults).await
}

async fn gateway_to(redis_url: &str, faults: &str) -> Gateway {
    let config = GatewayConfig::new(redis_url, TOKEN);
    let config = GatewayConfig { faults: faults.parse().unwrap(), seed: 4, ..config };
    Gateway::start(config).await.unwrap()
}

pub(super) fn over(gateway: &Gateway, prefix: &str) -> Bench {
    let config =
        Endpoint::Rest { url: gateway.url(), token: Secret::new(TOKEN), allow_plaintext: false };
    let clock = Clock::manual(NOW);
    let settings = settings(prefix);
    let queue = Queue::new(Redis::new(&config).unwrap(), &settings, clock.clone());
    Bench { queue, clock, base: format!("{prefix}:{}:", settings.name) }
}

fn jobs() -> Vec<NewJob> {
    let data = |n| format!(r#"{{"n":{n},"quotes":"{}"}}"#, r#"\""#.repeat(QUOTES));
    // Every fourth meets one that waits already.
    let opts = |n: usize| match n % 4 {
        0 => dedup(&format!("project-{}", n % 8)),
        1 => JobOptions { priority: 3, ..JobOptions::default() },
        2 => JobOptions { job_id: Some(format!("own-{}", n % 12)), ..JobOptions::default() },
        _ => JobOptions::default(),
    };
    (0..JOBS).map(|n| NewJob { data: data(n), ..job(opts(n)) }).collect()
}

/// What a queue holds: its lists in order, and every job's fields.
async fn contents(b: &Bench, added: &[Added]) -> Vec<Value> {
    let mut all = Vec::new();
    for list in ["wait", "active"] {
        all.push(b.raw("LRANGE", list, &["0", "-1"]).await);
    }
    all.push(b.raw("ZRANGE", "prioritized", &["0", "-1", "WITHSCORES"]).await);
    for added in added {
        let fields = ["data", "opts", "timestamp", "priority", "deid"];
        all.push(b.raw("HMGET", &added.id, &fields).await);
    }
    all
}

#[tokio::test]
async fn many_long_jobs_are_split_and_are_what_single_adds_are() {
    let gateway = gateway("").await;
    let single = over(&gateway, "long-single");
    let mut one_by_one = Vec::new();
    for job in jobs() {
        one_by_one.extend(single.queue.enqueue(&[job]).await.unwrap());
    }

    let bulk = over(&gateway, "long-bulk");
    let added = bulk.queue.enqueue(&jobs()).await.unwrap();
    let trips = bulk.queue.redis().usage().round_trips;
    assert_eq!(trips, 4, "16 MB in calls of at most 5 MB");
    assert_eq!(added, one_by_one);
    assert_eq!(contents(&bulk, &added).await, contents(&single, &added).await);
}

#[tokio::test]
async fn a_split_call_adds_once_whatever_is_lost() {
    let gateway = gateway("reset-after=0.3,502html=0.1,429=0.1").await;
    let b = over(&gateway, "long-lost");
    let mut answers = Vec::new();
    while answers.len() < 2 {
        // An error says that some answer did not come: the same call again adds what is missing.
        answers.extend(b.queue.enqueue_once(&jobs(), "the-night").await.ok());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let usage = b.queue.redis().usage();
    assert!(usage.round_trips > 8, "nothing was lost: {usage:?}");

    let direct = Bench::new("long-lost").await;
    let held = direct.list("wait").await.len();
    let prioritized = direct.raw("ZCARD", "prioritized", &[]).await.as_int().unwrap();
    let added = answers[0].iter().filter(|added| added.outcome == Outcome::Added).count();
    assert_eq!(held + usize::try_from(prioritized).unwrap(), added);
    assert_eq!(direct.raw("GET", "id", &[]).await.as_str(), Some("40"));
}

#[tokio::test]
async fn a_job_that_is_too_long_alone_is_refused_before_anything_is_written() {
    let gateway = gateway("").await;
    let b = over(&gateway, "long-alone");
    let long = |quotes: usize| NewJob {
        data: format!(r#""{}""#, r#"\""#.repeat(quotes)),
        ..job(JobOptions::default())
    };
    let fits = b.queue.enqueue(&[long(1), long(2_440_000), long(1)]).await.unwrap();
    assert_eq!(fits.len(), 3);

    let refusal = async |quotes| {
        // The first of them is named, and not the longest.
        let jobs = [long(1), long(quotes), long(quotes + 1)];
        let error = b.queue.enqueue(&jobs).await.unwrap_err().to_string();
        assert!(error.starts_with("job 1: takes "), "{error}");
        assert!(error.ends_with("; keep its data elsewhere and enqueue where it is"), "{error}");
        let numbers = error.split(' ').filter_map(|word| word.trim_end_matches(';').parse().ok());
        numbers.collect::<Vec<usize>>()
    };
    let [takes, room] = refusal(2_500_000).await[..] else { panic!("two numbers") };
    assert_eq!(b.list("wait").await.len(), 3);

    // The longest that is not refused is sent, even with the script's source. A quote takes four bytes.
    let most = 2_500_000 - (takes - room).div_ceil(4);
    refusal(most + 1).await;
    let empty = RedisServer::start().await.unwrap();
    let gateway = gateway_to(&empty.url(), "").await;
    over(&gateway, "longest").queue.enqueue(&[long(most)]).await.unwrap();

    // Another Redis has no such limit.
    let tcp = Bench::new("long-alone-tcp").await;
    tcp.queue.enqueue(&[long(2_500_000)]).await.unwrap();
}
