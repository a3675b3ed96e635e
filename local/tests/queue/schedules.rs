//! The next job of a scheduler, which whoever claims its current one puts in place.

use super::*;
use shared::queue::schedule::{Iteration, Produced, Rule, Scheduler};

const HOUR: u64 = 3_600_000;

/// An hourly scheduler, whose first job waits at once.
async fn hourly(b: &Bench) -> Iteration {
    let rule = Rule::Every { every_ms: HOUR, offset_ms: 0 };
    schedule(b, "s", rule).await
}

async fn schedule(b: &Bench, id: &str, rule: Rule) -> Iteration {
    let scheduler = Scheduler {
        id: id.to_owned(),
        name: "n".to_owned(),
        data: "{}".to_owned(),
        rule,
        ..Scheduler::default()
    };
    b.queue.schedule(&scheduler).await.unwrap()
}

/// What waits for its time, and how many jobs of the scheduler there were.
async fn standing(b: &Bench) -> (Vec<String>, Option<String>) {
    let delayed = b.raw("ZRANGE", "delayed", &["0", "-1"]).await;
    let delayed = delayed.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    (delayed.collect(), b.field("repeat:s", "ic").await)
}

fn id_at(at: i64) -> String {
    format!("repeat:s:{at}")
}

#[tokio::test]
async fn each_claim_puts_the_next_one_in_place() {
    let b = Bench::new("schedule-claims").await;
    let first = hourly(&b).await;
    let next = NOW + HOUR as i64;
    let claim = b.claim().await;
    assert_eq!(ids(&claim), [first.job_id]);
    let iteration = Iteration { job_id: id_at(next), delay_ms: HOUR };
    assert_eq!(claim.schedules, [(id_at(NOW), Produced::Next(iteration))]);
    assert_eq!(standing(&b).await, (vec![id_at(next)], Some("2".to_owned())));
    // By the other way to claim, too.
    b.clock.advance(HOUR as i64);
    let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
    let (_, claim) = b.queue.settle_and_claim(&claim.token, &jobs, ALL).await.unwrap();
    assert_eq!(ids(&claim), [id_at(next)]);
    assert_eq!(standing(&b).await, (vec![id_at(next + HOUR as i64)], Some("3".to_owned())));
}

#[tokio::test]
async fn a_retry_puts_no_other_one_in_place() {
    let b = Bench::new("schedule-retry").await;
    hourly(&b).await;
    let claim = b.claim().await;
    b.settle(claim, Settlement::Release).await;
    let claim = b.claim().await;
    assert_eq!(claim.schedules, [(id_at(NOW), Produced::Nothing)]);
    assert_eq!(standing(&b).await, (vec![id_at(NOW + HOUR as i64)], Some("2".to_owned())));
}

#[tokio::test]
async fn whichever_answer_is_lost_there_is_one_next_job() {
    let proxy = Lossy::before(&redis_server().await.url()).await;
    // The claim's, that of what is read about schedulers, and that of the script.
    for lost in 1..=3 {
        let prefix = format!("schedule-lost-{lost}");
        let b = Bench::on(&proxy.url, &prefix, |_| {});
        hourly(&b).await;
        proxy.skip(lost - 1);
        proxy.lose(1);
        let claim = b.claim().await;
        assert_eq!(proxy.left(), 0, "there are fewer answers than {lost}");
        assert_eq!(ids(&claim), [id_at(NOW)], "answer {lost}");
        assert_eq!(claim.unscheduled, Vec::<String>::new(), "answer {lost}");
        let expected = (vec![id_at(NOW + HOUR as i64)], Some("2".to_owned()));
        assert_eq!(standing(&b).await, expected, "answer {lost}");
    }
}

#[tokio::test]
async fn many_peers_that_claim_at_once_keep_one_next_job_each() {
    let b = Bench::new("schedule-peers").await;
    let rule = Rule::Every { every_ms: HOUR, offset_ms: 0 };
    for n in 0..60 {
        schedule(&b, &format!("s{n}"), rule.clone()).await;
    }
    let claims = (0..6).map(|_| {
        let queue = b.queue.clone();
        tokio::spawn(async move { queue.claim(ClaimRequest { count: 10, ..ALL }).await.unwrap() })
    });
    let mut claimed = HashSet::new();
    for claim in claims.collect::<Vec<_>>() {
        let claim = claim.await.unwrap();
        assert_eq!(claim.schedules.len(), claim.jobs.len());
        claimed.extend(ids(&claim));
    }
    assert_eq!(claimed.len(), 60);
    let (delayed, _) = standing(&b).await;
    let expected: HashSet<_> =
        (0..60).map(|n| format!("repeat:s{n}:{}", NOW + HOUR as i64)).collect();
    assert_eq!(delayed.into_iter().collect::<HashSet<_>>(), expected);
}

#[tokio::test]
async fn a_job_whose_rule_nobody_here_can_read_is_left_to_its_own_workers() {
    let b = Bench::new("schedule-unread").await;
    let night = Rule::Pattern { pattern: "0 3 * * *".to_owned(), tz: None, immediately: true };
    schedule(&b, "s", night).await;
    // As a worker with a strategy of its own would have it.
    let opts = b.field(&id_at(NOW), "opts").await.unwrap();
    let opts = opts.replace("0 3 * * *", "FREQ=DAILY;COUNT=3");
    b.raw("HSET", &id_at(NOW), &["opts", &opts]).await;
    let plain = b.add_plain(1).await;
    let claim = b.claim().await;
    assert_eq!((ids(&claim), claim.unscheduled), (plain, vec![id_at(NOW)]));
    assert_eq!(b.state(&id_at(NOW)).await, Some(State::Active));
    assert_eq!(b.raw("ZSCORE", "repeat", &["s"]).await.as_str(), Some(NOW.to_string().as_str()));
}

#[tokio::test]
async fn repeatable_jobs_of_before_schedulers_go_on() {
    let b = Bench::new("schedule-repeatable").await;
    let key = "n::::3600000";
    let id = "repeat:0cc175b9c0f1b6a831c399e269772661:";
    let at = NOW - NOW % HOUR as i64;
    let opts = r#"{"attempts":1,"delay":0,"prevMillis":AT,"repeat":{"count":4,"every":3600000}}"#;
    let current = format!("{id}{at}");
    let fields =
        ["name", "n", "data", r#"{"of":"x"}"#, "opts", &opts.replace("AT", &at.to_string())];
    b.raw("HSET", &current, &[&fields[..], &["timestamp", "1", "rjk", key]].concat()).await;
    b.raw("ZADD", "repeat", &[&at.to_string(), key]).await;
    b.raw("LPUSH", "wait", &[&current]).await;
    let claim = b.claim().await;
    let next = format!("{id}{}", at + HOUR as i64);
    let delay_ms = HOUR - (NOW - at) as u64;
    let iteration = Iteration { job_id: next.clone(), delay_ms };
    assert_eq!(claim.schedules, [(current, Produced::Next(iteration))]);
    assert_eq!(b.field(&next, "data").await.as_deref(), Some(r#"{"of":"x"}"#));
    assert_eq!(b.field(&next, "rjk").await.as_deref(), Some(key));
    let opts: serde_json::Value =
        serde_json::from_str(&b.field(&next, "opts").await.unwrap()).unwrap();
    assert_eq!(opts["repeat"], serde_json::json!({"count": 5, "every": 3_600_000}));
    assert_eq!(opts["prevMillis"], at + HOUR as i64);
    let record = b.raw("EXISTS", &format!("repeat:{key}"), &[]).await;
    assert_eq!(record.as_int(), Some(0), "a record would make a scheduler of it");
}

#[tokio::test]
async fn what_it_costs_is_paid_by_jobs_of_schedulers_alone() {
    let b = Bench::new("schedule-cost").await;
    b.add_plain(2).await;
    let metered = |redis: Redis| (b.queue.over(redis.clone()), redis);
    let (queue, redis) = metered(b.queue.redis().metered());
    queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    let before = redis.usage();
    queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    let plain =
        (redis.usage().billed - before.billed, redis.usage().round_trips - before.round_trips);
    hourly(&b).await;
    let before = redis.usage();
    queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    let billed = redis.usage().billed - before.billed;
    println!("a claim of one plain job: {plain:?}; of a scheduler's: {billed}");
    assert_eq!(plain.1, 1);
    assert!(billed <= plain.0 + 18, "{billed}");
}
