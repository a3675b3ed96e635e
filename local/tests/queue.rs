//! The queue against a real Redis: what is added comes out once, whatever is lost on the way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod lossy;

use std::collections::HashSet;

use local::servers::RedisServer;
use lossy::Lossy;
use shared::clock::Clock;
use shared::config::{Config, Events, QueueConfig, RedisConfig, Secret};
use shared::queue::{
    Added, Claim, ClaimRequest, ClaimStatus, Code, Deduplication, Error, JobOptions, JobState,
    KeepJobs, NewJob, Outcome, Queue, Settlement,
};
use shared::redis::{Command, Redis, Value};
use tokio::sync::OnceCell;

const NOW: i64 = 1_800_000_000_000;
const ALL: ClaimRequest = ClaimRequest { count: 100, wait: true, prioritized: true, delayed: true };

async fn server() -> &'static RedisServer {
    static SERVER: OnceCell<RedisServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { RedisServer::start().await.unwrap() }).await
}

fn settings(prefix: &str) -> QueueConfig {
    let env = std::collections::BTreeMap::new();
    QueueConfig { prefix: prefix.to_owned(), ..Config::from_env(&env).unwrap().queue }
}

fn client(url: &str) -> Redis {
    let url = Secret::new(url);
    Redis::new(&RedisConfig::Tcp { url, allow_plaintext: false }).unwrap()
}

/// A queue of its own for one test, with a clock that the test moves.
struct Bench {
    queue: Queue,
    clock: Clock,
    base: String,
}

impl Bench {
    async fn new(prefix: &str) -> Self {
        Self::on(&server().await.url(), prefix, |_| {})
    }

    fn on(url: &str, prefix: &str, change: impl FnOnce(&mut QueueConfig)) -> Self {
        let clock = Clock::manual(NOW);
        let mut config = settings(prefix);
        change(&mut config);
        let queue = Queue::new(client(url), &config, clock.clone());
        Self { queue, clock, base: format!("{prefix}:{}:", config.name) }
    }

    async fn raw(&self, name: &'static str, key: &str, args: &[&str]) -> Value {
        let command = Command::new(name).arg(format!("{}{key}", self.base));
        let command = args.iter().fold(command, |command, arg| command.arg(*arg));
        self.queue.redis().call(command).await.unwrap()
    }

    async fn list(&self, key: &str) -> Vec<String> {
        let value = self.raw("LRANGE", key, &["0", "-1"]).await;
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }

    async fn field(&self, id: &str, field: &str) -> Option<String> {
        self.raw("HGET", id, &[field]).await.as_str().map(str::to_owned)
    }

    async fn add(&self, opts: JobOptions) -> Added {
        self.queue.enqueue(&[job(opts)]).await.unwrap().remove(0)
    }

    async fn add_plain(&self, n: usize) -> Vec<String> {
        let jobs = vec![job(JobOptions::default()); n];
        self.queue.enqueue(&jobs).await.unwrap().into_iter().map(|added| added.id).collect()
    }

    async fn claim(&self) -> Claim {
        self.queue.claim(ALL).await.unwrap()
    }

    async fn settle(&self, claim: Claim, settlement: Settlement) -> Vec<Code> {
        let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, settlement.clone())).collect();
        self.queue.settle(&claim.token, &jobs).await.unwrap().codes
    }

    async fn state(&self, id: &str) -> Option<JobState> {
        self.queue.job(id).await.unwrap().map(|job| job.state)
    }
}

fn job(opts: JobOptions) -> NewJob {
    NewJob { name: "test".to_owned(), data: r#"{"n":1}"#.to_owned(), opts, ..NewJob::default() }
}

fn dedup(id: &str) -> JobOptions {
    let deduplication =
        Deduplication { id: id.to_owned(), keep_last_if_active: true, ..Deduplication::default() };
    JobOptions { deduplication: Some(deduplication), ..JobOptions::default() }
}

fn done() -> Settlement {
    Settlement::Complete("null".to_owned())
}

fn ids(claim: &Claim) -> Vec<String> {
    claim.jobs.iter().map(|job| job.id.clone()).collect()
}

#[tokio::test]
async fn jobs_come_out_in_their_order() {
    let b = Bench::new("order").await;
    let with = |priority, lifo| JobOptions { priority, lifo, ..JobOptions::default() };
    let low = b.add(with(9, false)).await.id;
    let first = b.add(with(0, false)).await.id;
    let second = b.add(with(0, false)).await.id;
    let high = b.add(with(1, false)).await.id;
    let front = b.add(with(0, true)).await.id;
    assert_eq!(ids(&b.claim().await), [front, first, second, high, low]);
}

#[tokio::test]
async fn a_batch_of_adds_leaves_what_single_adds_leave() {
    let (one, many) = (Bench::new("single").await, Bench::new("batch").await);
    let custom = |id: &str| JobOptions { job_id: Some(id.to_owned()), ..JobOptions::default() };
    let jobs: Vec<NewJob> = [
        JobOptions::default(),
        JobOptions { priority: 5, ..dedup("a") },
        dedup("a"),
        custom("x"),
        custom("x"),
        JobOptions { delay_ms: 500, ..JobOptions::default() },
        JobOptions { delay_ms: 500, ..dedup("b") },
        JobOptions { lifo: true, ..JobOptions::default() },
        JobOptions { priority: 5, ..JobOptions::default() },
        dedup("b"),
    ]
    .map(job)
    .into();
    let mut singly = Vec::new();
    for job in &jobs {
        singly.extend(one.queue.enqueue(std::slice::from_ref(job)).await.unwrap());
    }
    assert_eq!(many.queue.enqueue(&jobs).await.unwrap(), singly);
    for list in ["wait", "active"] {
        assert_eq!(one.list(list).await, many.list(list).await, "{list}");
    }
    for set in ["prioritized", "delayed", "marker"] {
        let all = &["0", "-1", "WITHSCORES"];
        assert_eq!(one.raw("ZRANGE", set, all).await, many.raw("ZRANGE", set, all).await, "{set}");
    }
    for text in ["id", "pc", "de:a", "de:b"] {
        assert_eq!(one.raw("GET", text, &[]).await, many.raw("GET", text, &[]).await, "{text}");
    }
    for added in &singly {
        assert_eq!(
            one.queue.job(&added.id).await.unwrap().unwrap().fields,
            many.queue.job(&added.id).await.unwrap().unwrap().fields
        );
    }
}

#[tokio::test]
async fn a_refused_job_leaves_nothing_of_its_batch() {
    let b = Bench::new("refused").await;
    let bad = JobOptions { job_id: Some("7".to_owned()), ..JobOptions::default() };
    let failure = b.queue.enqueue(&[job(JobOptions::default()), job(bad)]).await.unwrap_err();
    assert!(matches!(failure, Error::Invalid { index: 1, .. }), "{failure}");
    assert_eq!(b.queue.counts().await.unwrap().wait, 0);
}

#[tokio::test]
async fn an_idempotency_key_adds_once() {
    let b = Bench::new("once").await;
    let jobs = [job(JobOptions::default())];
    let first = b.queue.enqueue_once(&jobs, "key").await.unwrap();
    assert_eq!(b.queue.enqueue_once(&jobs, "key").await.unwrap(), first);
    assert_ne!(b.queue.enqueue_once(&jobs, "other").await.unwrap(), first);
    assert_eq!(b.queue.counts().await.unwrap().wait, 2);
}

#[tokio::test]
async fn a_lost_enqueue_answer_leaves_one_job() {
    let proxy = Lossy::before(&server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-enqueue", |_| {});
    // The script is known to the server from here on, so that the next call is one round trip.
    let warm = b.add_plain(1).await;
    proxy.lose(1);
    let added = b.add_plain(3).await;
    assert_eq!(proxy.left(), 0);
    let mut waiting = b.list("wait").await;
    waiting.reverse();
    assert_eq!(waiting, [warm, added].concat());
}

#[tokio::test]
async fn a_lost_claim_answer_is_found_again() {
    let proxy = Lossy::before(&server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-claim", |_| {});
    let added = b.add_plain(5).await;
    b.queue.claim(ClaimRequest { count: 1, ..ALL }).await.unwrap();
    proxy.lose(2);
    let claim = b.queue.claim(ClaimRequest { count: 3, ..ALL }).await.unwrap();
    assert_eq!(proxy.left(), 0);
    assert_eq!(ids(&claim), added[1..4]);
    for id in ids(&claim) {
        assert_eq!(b.field(&id, "ats").await.as_deref(), Some("1"));
    }
    assert_eq!(b.settle(claim, done()).await, [Code::Completed; 3]);
    assert_eq!(b.queue.counts().await.unwrap().wait, 1);
}

#[tokio::test]
async fn a_lost_settle_answer_is_answered_again() {
    let proxy = Lossy::before(&server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-settle", |_| {});
    b.add_plain(4).await;
    let first = b.queue.claim(ClaimRequest { count: 2, ..ALL }).await.unwrap();
    b.settle(first, done()).await;
    let mut second = b.claim().await;
    second.jobs.push(shared::queue::ClaimedJob { id: "gone".to_owned(), ..Default::default() });
    proxy.lose(1);
    let codes = b.settle(second, done()).await;
    assert_eq!(proxy.left(), 0);
    assert_eq!(codes, [Code::Completed, Code::Completed, Code::Refused(-1)]);
    assert_eq!(b.field("4", "atm").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_lost_answer_of_both_at_once_settles_once_and_claims_once() {
    let proxy = Lossy::before(&server().await.url()).await;
    let b = Bench::on(&proxy.url, "lost-both", |_| {});
    b.add_plain(4).await;
    let two = ClaimRequest { count: 2, ..ALL };
    let first = b.queue.claim(two).await.unwrap();
    let jobs: Vec<_> = first.jobs.into_iter().map(|job| (job, done())).collect();
    b.queue.redis().call(Command::new("PING")).await.unwrap();
    let warm = Bench::on(&proxy.url, "lost-both-warm", |_| {});
    warm.add_plain(1).await;
    let claim = warm.claim().await;
    let warm_jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
    warm.queue.settle_and_claim(&claim.token, &warm_jobs, two).await.unwrap();
    proxy.lose(1);
    let (settled, next) = b.queue.settle_and_claim(&first.token, &jobs, two).await.unwrap();
    assert_eq!(proxy.left(), 0);
    assert_eq!(settled.codes, [Code::Completed; 2]);
    assert_eq!(ids(&next), ["3", "4"]);
    assert_eq!(b.field("3", "ats").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn every_claim_has_a_token_of_its_own_and_only_it_settles() {
    let b = Bench::new("tokens").await;
    b.add_plain(1).await;
    let stale = b.claim().await;
    b.raw("DEL", "1:lock", &[]).await;
    for _ in 0..2 {
        b.queue.recover().await.unwrap();
        b.raw("DEL", "stalled-check", &[]).await;
    }
    let fresh = b.claim().await;
    assert_ne!(stale.token, fresh.token);
    assert_eq!(b.settle(stale, done()).await, [Code::Refused(-6)]);
    assert_eq!(b.state("1").await, Some(JobState::Active));
    assert_eq!(b.settle(fresh.clone(), done()).await, [Code::Completed]);
    assert_eq!(b.settle(fresh, done()).await, [Code::Refused(-2)]);
}

#[tokio::test]
async fn a_job_that_was_taken_out_of_active_is_refused_alone() {
    let b = Bench::new("refuse-alone").await;
    b.add_plain(3).await;
    let claim = b.claim().await;
    b.raw("LREM", "active", &["1", "2"]).await;
    b.raw("SADD", "3:dependencies", &["child"]).await;
    let codes = b.settle(claim, done()).await;
    assert_eq!(codes, [Code::Completed, Code::Refused(-3), Code::Refused(-4)]);
    assert_eq!(b.raw("EXISTS", "3:lock", &[]).await, Value::Int(1));
}

#[tokio::test]
async fn a_failed_attempt_waits_for_its_backoff_and_the_last_one_fails() {
    let b = Bench::new("retry").await;
    let backoff = shared::queue::Backoff::Exponential { delay_ms: 1_000, jitter: None };
    let opts = JobOptions { attempts: 3, backoff: Some(backoff), ..JobOptions::default() };
    let id = b.add(opts).await.id;
    for delay in [1_000, 2_000] {
        let codes = b.settle(b.claim().await, Settlement::Failed("no luck".to_owned())).await;
        assert_eq!(codes, [Code::Retried]);
        assert_eq!(b.queue.next_due_ms().await.unwrap(), Some(b.clock.now_ms() + delay));
        b.clock.advance(delay - 1);
        let early = b.claim().await;
        assert_eq!(early.status, ClaimStatus::Empty { next_due_ms: Some(b.clock.now_ms() + 1) });
        b.clock.advance(1);
    }
    let codes = b.settle(b.claim().await, Settlement::Failed("no luck".to_owned())).await;
    assert_eq!(codes, [Code::Failed]);
    assert_eq!(b.state(&id).await, Some(JobState::Failed));
    assert_eq!(b.field(&id, "atm").await.as_deref(), Some("3"));
    let trace: Vec<String> =
        serde_json::from_str(&b.field(&id, "stacktrace").await.unwrap()).unwrap();
    assert_eq!(trace.len(), 3);
}

#[tokio::test]
async fn released_jobs_go_back_in_front_in_their_order_at_no_cost() {
    let b = Bench::new("release").await;
    b.add_plain(3).await;
    let claim = b.queue.claim(ClaimRequest { count: 2, ..ALL }).await.unwrap();
    assert_eq!(b.settle(claim, Settlement::Release).await, [Code::Released; 2]);
    assert_eq!(ids(&b.claim().await), ["1", "2", "3"]);
    assert_eq!(b.field("1", "atm").await, None);
}

#[tokio::test]
async fn stalled_jobs_come_back_after_two_passes_and_are_failed_after_three_recoveries() {
    let b = Bench::new("stalled").await;
    let id = b.add_plain(1).await.remove(0);
    for round in 1..=4 {
        b.claim().await;
        b.raw("DEL", &format!("{id}:lock"), &[]).await;
        b.raw("DEL", "stalled-check", &[]).await;
        assert_eq!(b.queue.recover().await.unwrap().ids, [""; 0], "the first pass only notes");
        let again = b.queue.recover().await.unwrap();
        assert!(again.ids.is_empty(), "one pass an interval");
        b.raw("DEL", "stalled-check", &[]).await;
        let recovered = b.queue.recover().await.unwrap();
        assert_eq!(recovered.ids, std::slice::from_ref(&id));
        assert_eq!(recovered.doomed.len(), usize::from(round == 4));
    }
    let doomed = b.claim().await.jobs.remove(0);
    assert_eq!(doomed.deferred_failure.as_deref(), Some("job stalled more than allowable limit"));
    assert_eq!(doomed.stalled, 4);
}

#[tokio::test]
async fn renewed_locks_hold_and_lost_ones_are_told() {
    let b = Bench::new("renew").await;
    b.add_plain(3).await;
    let claim = b.claim().await;
    let locks = ["1:lock", "2:lock", "3:lock"];
    for lock in locks {
        b.raw("PEXPIRE", lock, &["500"]).await;
    }
    b.raw("SADD", "stalled", &["1", "2", "3"]).await;
    b.raw("DEL", "2:lock", &[]).await;
    b.raw("SET", "3:lock", &["somebody else's"]).await;
    let lost = b.queue.renew(&claim.token, &ids(&claim)).await.unwrap();
    assert_eq!(lost, ["2", "3"]);
    let left = b.raw("PTTL", "1:lock", &[]).await.as_int().unwrap();
    assert!(left > 10_000, "{left}");
    assert_eq!(b.raw("EXISTS", "2:lock", &[]).await, Value::Int(0));
    assert_eq!(b.raw("GET", "3:lock", &[]).await.as_str(), Some("somebody else's"));
    assert_eq!(b.raw("SISMEMBER", "stalled", &["1"]).await, Value::Int(0));
    assert_eq!(b.raw("SCARD", "stalled", &[]).await, Value::Int(2));
}

#[tokio::test]
async fn retention_keeps_the_newest_and_forgets_the_old() {
    let b = Bench::new("retention").await;
    let keep = KeepJobs::Bounded { count: Some(3), age_s: Some(60), limit: None };
    let opts = JobOptions { remove_on_complete: Some(keep), ..JobOptions::default() };
    for _ in 0..2 {
        let jobs = vec![job(opts.clone()); 4];
        b.queue.enqueue(&jobs).await.unwrap();
        b.settle(b.claim().await, done()).await;
        b.clock.advance(1);
    }
    assert_eq!(b.queue.counts().await.unwrap().completed, 3);
    assert_eq!(b.state("4").await, None);
    assert_eq!(b.state("8").await, Some(JobState::Completed));
    b.clock.advance(60_000);
    b.add(opts).await;
    b.settle(b.claim().await, done()).await;
    assert_eq!(b.queue.counts().await.unwrap().completed, 1);
    let none = JobOptions { remove_on_complete: Some(KeepJobs::None), ..JobOptions::default() };
    let id = b.add(none).await.id;
    b.settle(b.claim().await, done()).await;
    assert_eq!(b.state(&id).await, None);
}

#[tokio::test]
async fn a_duplicate_reuses_the_waiting_job_and_a_manual_one_moves_it_up() {
    let b = Bench::new("duplicate").await;
    let night = b.add(JobOptions { priority: 10, ..dedup("p") }).await;
    let again = b.add(JobOptions { priority: 10, ..dedup("p") }).await;
    assert_eq!((again.id.as_str(), again.outcome), (night.id.as_str(), Outcome::Deduplicated));
    assert_eq!(b.state(&night.id).await, Some(JobState::Prioritized));
    let manual = NewJob { promote_duplicate: true, ..job(dedup("p")) };
    let moved = b.queue.enqueue(&[manual]).await.unwrap().remove(0);
    assert_eq!(moved.id, night.id);
    assert_eq!(b.list("wait").await, std::slice::from_ref(&night.id));
    assert_eq!(b.field(&night.id, "priority").await.as_deref(), Some("0"));
    assert_eq!(b.queue.counts().await.unwrap().prioritized, 0);
}

#[tokio::test]
async fn a_duplicate_of_an_active_job_runs_once_more_with_the_last_data() {
    let b = Bench::new("after-active").await;
    let first = b.add(dedup("p")).await;
    let claim = b.claim().await;
    for n in [2, 3] {
        let data = format!(r#"{{"n":{n}}}"#);
        let later = b.queue.enqueue(&[NewJob { data, ..job(dedup("p")) }]).await.unwrap();
        assert_eq!(later, [Added { id: first.id.clone(), outcome: Outcome::AfterActive }]);
    }
    b.settle(claim, done()).await;
    let next = b.claim().await;
    assert_eq!(next.jobs.len(), 1);
    assert_eq!(next.jobs[0].data, r#"{"n":3}"#);
    b.settle(next, done()).await;
    assert_eq!(b.raw("EXISTS", "de:p", &[]).await, Value::Int(0));
    assert!(b.claim().await.jobs.is_empty());
}

#[tokio::test]
async fn old_bullmq_gets_a_job_of_its_own_instead() {
    let b = Bench::new("old-bullmq").await;
    b.raw("HSET", "meta", &["version", "bullmq:5.65.1"]).await;
    let first = b.add(dedup("p")).await;
    let claim = b.claim().await;
    let second = b.add(dedup("p")).await;
    assert_eq!(second.outcome, Outcome::Added);
    assert_ne!(second.id, first.id);
    b.settle(claim, done()).await;
    assert_eq!(b.raw("GET", "de:p", &[]).await.as_str(), Some(second.id.as_str()));
    assert_eq!(ids(&b.claim().await), [second.id]);
}

#[tokio::test]
async fn a_key_whose_job_is_gone_holds_nothing() {
    let b = Bench::new("stale-key").await;
    let first = b.add(dedup("p")).await;
    b.raw("DEL", &first.id, &[]).await;
    b.raw("DEL", "wait", &[]).await;
    let second = b.add(dedup("p")).await;
    assert_eq!(second.outcome, Outcome::Added);
    assert_eq!(ids(&b.claim().await), [second.id]);
}

#[tokio::test]
async fn a_paused_queue_is_left_alone_and_keeps_one_list() {
    let b = Bench::new("paused").await;
    b.raw("HSET", "meta", &["version", "bullmq:5.81.5", "paused", "1"]).await;
    b.add_plain(2).await;
    assert_eq!(b.list("paused").await.len(), 2);
    assert_eq!(b.claim().await.status, ClaimStatus::Paused);
    b.raw("RENAME", "paused", &[&format!("{}wait", b.base)]).await;
    b.add_plain(1).await;
    assert_eq!((b.list("wait").await.len(), b.list("paused").await.len()), (3, 0));
    assert_eq!(b.raw("EXISTS", "marker", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn the_queues_own_limits_hold() {
    let b = Bench::new("limits").await;
    b.add_plain(9).await;
    b.raw("HSET", "meta", &["concurrency", "2"]).await;
    let two = b.claim().await;
    assert_eq!(two.jobs.len(), 2);
    assert_eq!(b.claim().await.status, ClaimStatus::Full);
    let jobs: Vec<_> = two.jobs.into_iter().map(|job| (job, done())).collect();
    let (_, next) = b.queue.settle_and_claim(&two.token, &jobs, ALL).await.unwrap();
    assert_eq!(next.jobs.len(), 2);
    b.settle(next, done()).await;
    b.raw("HSET", "meta", &["concurrency", "50", "max", "3", "duration", "60000"]).await;
    assert_eq!(b.claim().await.jobs.len(), 3);
    assert!(matches!(b.claim().await.status, ClaimStatus::Limited { wait_ms: 1..=60_000 }));
}

#[tokio::test]
async fn an_id_without_a_job_is_dropped_and_told() {
    let b = Bench::new("missing").await;
    b.raw("LPUSH", "wait", &["ghost"]).await;
    let real = b.add_plain(1).await;
    let claim = b.claim().await;
    assert_eq!((claim.missing.clone(), ids(&claim)), (vec!["ghost".to_owned()], real));
    assert_eq!(b.list("active").await.len(), 1);
    assert_eq!(b.raw("EXISTS", "ghost", &[]).await, Value::Int(0));
}

#[tokio::test]
async fn peek_names_exactly_the_states_that_hold_jobs_for_one_command() {
    let b = Bench::new("peek").await;
    let queue = b.queue.over(b.queue.redis().metered());
    assert!(queue.peek().await.unwrap().is_empty());
    assert_eq!(queue.redis().usage().billed, 1);
    b.add(JobOptions { priority: 1, ..JobOptions::default() }).await;
    b.add(JobOptions { delay_ms: 9, ..JobOptions::default() }).await;
    let occupied = queue.peek().await.unwrap();
    assert!(occupied.prioritized && occupied.delayed);
    assert!(!occupied.wait && !occupied.paused && !occupied.active);
    b.claim().await;
    let occupied = queue.peek().await.unwrap();
    assert!(occupied.active && occupied.delayed && !occupied.prioritized);
}

#[tokio::test]
async fn every_script_counts_its_commands_exactly() {
    let server = RedisServer::start().await.unwrap();
    let b = Bench::on(&server.url(), "metered", |config| config.events = Events::All);
    let keep = KeepJobs::Bounded { count: Some(2), age_s: Some(60), limit: None };
    let opts = JobOptions { attempts: 2, remove_on_complete: Some(keep), ..dedup("p") };
    // Scripts are loaded by their first use: measure from the second round on.
    for round in 0..3 {
        let queue = b.queue.over(b.queue.redis().metered());
        let before = executed(&b).await;
        queue.enqueue(&vec![job(opts.clone()); 3]).await.unwrap();
        let late = JobOptions { delay_ms: 5, priority: 3, ..JobOptions::default() };
        queue.enqueue(&[job(late), job(JobOptions::default())]).await.unwrap();
        b.clock.advance(10);
        let claim = queue.claim(ALL).await.unwrap();
        queue.enqueue(&[job(opts.clone())]).await.unwrap();
        queue.recover().await.unwrap();
        queue.renew(&claim.token, &ids(&claim)).await.unwrap();
        let ways = [done(), Settlement::Failed("x".to_owned()), Settlement::Release];
        let jobs: Vec<_> = claim.jobs.into_iter().zip(ways.into_iter().cycle()).collect();
        let (_, next) = queue.settle_and_claim(&claim.token, &jobs, ALL).await.unwrap();
        let jobs: Vec<_> = next.jobs.into_iter().map(|job| (job, done())).collect();
        queue.settle(&next.token, &jobs).await.unwrap();
        queue.counts().await.unwrap();
        queue.job("1").await.unwrap();
        queue.peek().await.unwrap();
        let spent = executed(&b).await - before - 1; // INFO itself
        assert_eq!(queue.redis().usage().billed, spent, "round {round}");
    }
}

/// Commands that the server has executed, those inside scripts included.
async fn executed(b: &Bench) -> u64 {
    let info = b.queue.redis().call(Command::new("INFO").arg("commandstats")).await.unwrap();
    let calls = info
        .as_str()
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok());
    calls.sum()
}

#[tokio::test]
async fn many_claimers_never_share_a_job() {
    let b = Bench::new("race").await;
    b.add_plain(500).await;
    let url = server().await.url();
    let claimers: Vec<_> = (0..5)
        .map(|_| {
            let b = Bench::on(&url, "race", |_| {});
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let claim = b.queue.claim(ClaimRequest { count: 7, ..ALL }).await.unwrap();
                    if claim.jobs.is_empty() {
                        return mine;
                    }
                    mine.extend(ids(&claim));
                    b.settle(claim, done()).await;
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), 500);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 500);
    assert_eq!(b.queue.counts().await.unwrap().completed, 500);
}

#[tokio::test]
async fn batches_follow_each_other_in_one_round_trip_each() {
    let b = Bench::new("steady").await;
    for opts in [JobOptions::default(), dedup("only")] {
        b.queue.enqueue(&vec![job(opts.clone()); 1]).await.unwrap();
        b.queue.enqueue(&vec![job(JobOptions::default()); 19]).await.unwrap();
        let queue = b.queue.over(b.queue.redis().metered());
        let ten = ClaimRequest { count: 10, delayed: false, ..ALL };
        let mut claim = queue.claim(ten).await.unwrap();
        let mut done_ids = Vec::new();
        while !claim.jobs.is_empty() {
            done_ids.extend(ids(&claim));
            let jobs: Vec<_> = claim.jobs.into_iter().map(|job| (job, done())).collect();
            let (settled, next) = queue.settle_and_claim(&claim.token, &jobs, ten).await.unwrap();
            assert!(settled.codes.iter().all(|code| *code == Code::Completed));
            claim = next;
        }
        assert_eq!(done_ids.len(), 20);
        assert!(queue.redis().usage().round_trips <= 3 + 2, "a script may be new to the server");
    }
    assert_eq!(b.queue.counts().await.unwrap().completed, 40);
    assert_eq!(b.list("active").await, [""; 0]);
}
