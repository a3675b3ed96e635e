//! Adding: what stands in the queue afterwards.

use super::*;

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

/// Another version may have measured the jobs otherwise, and put fewer of them into its first call.
#[tokio::test]
async fn a_key_adds_once_though_its_first_call_was_cut_elsewhere() {
    let b = Bench::new("once-cut").await;
    let jobs: Vec<NewJob> =
        (0..7).map(|n| NewJob { data: n.to_string(), ..job(JobOptions::default()) }).collect();
    let before = b.queue.enqueue_once(&jobs[..3], "key").await.unwrap();
    for _ in 0..2 {
        let all = b.queue.enqueue_once(&jobs, "key").await.unwrap();
        assert_eq!((all.len(), &all[..3]), (7, &before[..]));
        assert_eq!(b.queue.counts().await.unwrap().wait, 7);
    }
    // What tells of more jobs than there are is of others.
    b.queue.enqueue_once(&jobs[..3], "three").await.unwrap();
    assert!(b.queue.enqueue_once(&jobs[..2], "three").await.is_err());
}

#[tokio::test]
async fn a_duplicate_reuses_the_waiting_job_and_a_manual_one_moves_it_up() {
    let b = Bench::new("duplicate").await;
    let night = b.add(JobOptions { priority: 10, ..dedup("p") }).await;
    let again = b.add(JobOptions { priority: 10, ..dedup("p") }).await;
    assert_eq!((again.id.as_str(), again.outcome), (night.id.as_str(), Outcome::Deduplicated));
    assert_eq!(b.state(&night.id).await, Some(State::Prioritized));
    let manual = NewJob { promote_duplicate: true, ..job(dedup("p")) };
    let moved = b.queue.enqueue(&[manual]).await.unwrap().remove(0);
    assert_eq!(moved.id, night.id);
    assert_eq!(b.list("wait").await, std::slice::from_ref(&night.id));
    assert_eq!(b.field(&night.id, "priority").await.as_deref(), Some("0"));
    assert_eq!(b.queue.counts().await.unwrap().prioritized, 0);
}

/// Whatever made the queue: what waits behind an active job (`dn:`) not every version would start.
#[tokio::test]
async fn a_duplicate_of_an_active_job_is_a_job_of_its_own() {
    for (n, version) in ["", "bullmq:5.65.1", "bullmq:6.7.0", "bullmq-pro:7.1.0"].iter().enumerate()
    {
        let b = Bench::new(&format!("after-active-{n}")).await;
        b.raw("HSET", "meta", &["version", version]).await;
        let first = b.add(dedup("p")).await;
        let claim = b.claim().await;
        let second = b.add(dedup("p")).await;
        assert_eq!(second.outcome, Outcome::AfterActive, "{version}");
        assert_ne!(second.id, first.id, "{version}");
        let third = b.add(dedup("p")).await;
        assert_eq!((third.id.as_str(), third.outcome), (second.id.as_str(), Outcome::Deduplicated));
        b.settle(claim, done()).await;
        assert_eq!(b.raw("GET", "de:p", &[]).await.as_str(), Some(second.id.as_str()), "{version}");
        let next = b.claim().await;
        assert_eq!(ids(&next), [second.id], "{version}");
        b.settle(next, done()).await;
        assert_eq!(b.raw("EXISTS", "de:p", &[&format!("{}dn:p", b.base)]).await, Value::Int(0));
    }
}

/// Redis' own count: the script, the keys' holders, and one look at each.
#[tokio::test]
async fn a_duplicate_costs_three_commands() {
    let b = Bench::new("cheap-duplicate").await;
    let manual = NewJob { promote_duplicate: true, ..job(dedup("p")) };
    let first = b.queue.enqueue(std::slice::from_ref(&manual)).await.unwrap().remove(0);
    let queue = b.queue.over(b.queue.redis().metered());
    let again = queue.enqueue(std::slice::from_ref(&manual)).await.unwrap().remove(0);
    assert_eq!((again.id, again.outcome), (first.id, Outcome::Deduplicated));
    assert_eq!(queue.redis().usage().billed, 3);
    assert_eq!(b.raw("GET", "id", &[]).await.as_str(), Some("1"), "a duplicate takes no number");
}

/// A holder counts only while it is in some state: an orphan's key would block its id for ever.
#[tokio::test]
async fn a_holder_that_is_nowhere_holds_for_no_longer_than_a_claim_could_take() {
    let b = Bench::new("orphan").await;
    let orphan = b.add(dedup("p")).await;
    b.raw("DEL", "wait", &[]).await;
    assert_eq!(b.add(dedup("p")).await.outcome, Outcome::Deduplicated, "it is young");
    b.clock.advance(85_000 + 2 * 30_000 + 1);
    let next = b.add(dedup("p")).await;
    assert_eq!(next.outcome, Outcome::Added);
    assert_ne!(next.id, orphan.id);
    // One that waits holds, however old it is.
    b.clock.advance(3_600_000);
    assert_eq!(b.add(dedup("p")).await.id, next.id);
    // Behind 10,000 others it cannot be seen, and holds as well.
    let others: Vec<String> = (0..10_001).map(|n| format!("other-{n}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    b.raw("RPUSH", "wait", &others).await;
    assert_eq!(b.add(dedup("p")).await.outcome, Outcome::Deduplicated);
    b.raw("LREM", "wait", &["0", &next.id]).await;
    assert_eq!(b.add(dedup("p")).await.outcome, Outcome::Deduplicated, "told, not stolen");
}

#[tokio::test]
async fn a_queue_says_who_made_it_until_a_node_process_does() {
    let b = Bench::new("version").await;
    b.add(JobOptions::default()).await;
    let ours = concat!("batchmq:", env!("CARGO_PKG_VERSION"));
    assert_eq!(b.field("meta", "version").await.as_deref(), Some(ours));
    assert_eq!(b.field("meta", "opts.maxLenEvents").await.as_deref(), Some("10000"));
    b.raw("HSET", "meta", &["version", "bullmq:6.7.0"]).await;
    b.add(JobOptions::default()).await;
    assert_eq!(b.field("meta", "version").await.as_deref(), Some("bullmq:6.7.0"));
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
async fn the_first_job_of_a_queue_that_runs_is_told_of_at_no_command() {
    let b = Bench::new("first").await;
    let add = async |opts: JobOptions| b.queue.add(&[job(opts)], None).await.unwrap().first;
    let plain = JobOptions::default;
    let behind = || JobOptions { priority: 5, ..JobOptions::default() };
    let later = || JobOptions { delay_ms: 60_000, ..JobOptions::default() };

    assert!(!add(later()).await, "it waits for its time");
    assert!(add(plain()).await);
    assert!(!add(plain()).await);
    assert!(!add(JobOptions { lifo: true, ..plain() }).await);
    b.queue.claim(ClaimRequest::everywhere(10)).await.unwrap();
    // Those are being processed, but who does that may have looked for the last time.
    assert!(add(behind()).await);
    assert!(!add(behind()).await);
    b.queue.claim(ClaimRequest::everywhere(10)).await.unwrap();
    assert!(add(JobOptions { lifo: true, ..plain() }).await);
    b.queue.claim(ClaimRequest::everywhere(10)).await.unwrap();

    // A lost answer is told again, and so is a caller's retry.
    let jobs = [job(plain()), job(behind())];
    let first = b.queue.add(&jobs, Some("k")).await.unwrap();
    assert!(first.first);
    assert_eq!(b.queue.add(&jobs, Some("k")).await.unwrap(), first);
    b.queue.claim(ClaimRequest::everywhere(10)).await.unwrap();

    b.queue.pause().await.unwrap();
    assert!(!add(plain()).await && !add(behind()).await, "nobody may take it");
}

/// A batch of every kind of job: plain, in front, ranked, delayed, and under ids that are found again.
fn every_kind() -> Vec<NewJob> {
    [
        JobOptions::default(),
        JobOptions { lifo: true, ..JobOptions::default() },
        JobOptions { priority: 3, ..JobOptions::default() },
        JobOptions { delay_ms: 500, ..JobOptions::default() },
        JobOptions { job_id: Some("own".to_owned()), ..JobOptions::default() },
        dedup("d"),
        JobOptions::default(),
    ]
    .map(job)
    .into()
}

/// How many jobs stand in a queue.
async fn standing(b: &Bench) -> u64 {
    let counts = b.queue.counts().await.unwrap();
    counts.wait + counts.paused + counts.prioritized + counts.delayed
}

/// Whoever hears of a failure asks again: what had been placed before the refusal must not be there twice.
#[tokio::test]
async fn a_call_that_failed_part_way_adds_nothing_twice_when_it_is_made_again() {
    for place in ["wait", "prioritized", "delayed"] {
        for is_paused in [false, true] {
            let b = Bench::new(&format!("part-way-{place}-{is_paused}")).await;
            if is_paused {
                b.queue.pause().await.unwrap();
            }
            b.raw("SET", if is_paused && place == "wait" { "paused" } else { place }, &["x"]).await;
            for _ in 0..2 {
                b.queue.enqueue_once(&every_kind(), "key").await.unwrap_err();
            }
            b.raw("DEL", if is_paused && place == "wait" { "paused" } else { place }, &[]).await;
            b.queue.enqueue_once(&every_kind(), "key").await.unwrap();
            assert_eq!(standing(&b).await, 7, "{place}, {is_paused}");
            let numbered = b.raw("KEYS", "[0-9]*", &[]).await.as_array().unwrap().len();
            assert_eq!(numbered, 6, "jobs that stand nowhere: {place}, {is_paused}");
        }
    }
}

/// The same for each command that it needs and may not run, the receipt's among them.
#[tokio::test]
async fn a_call_that_lacks_a_command_adds_nothing_twice_once_it_has_it() {
    let server = servers::RedisServer::start().await.unwrap();
    let url = server.url().replace("redis://", "redis://user:pw@");
    for refused in ["set", "mset", "lpush", "rpush", "zadd", "incrby", "hset"] {
        let owner = Bench::on(&server.url(), &format!("lacks-{refused}"), |_| {});
        let acl = async |rule: &str| {
            let command = ["SETUSER", "user", "on", ">pw", "~*", "&*", "+@all", rule];
            owner.queue.redis().call(Command::new("ACL").args(command)).await.unwrap();
        };
        acl(&format!("-{refused}")).await;
        let b = Bench::on(&url, &format!("lacks-{refused}"), |_| {});
        b.queue.enqueue_once(&every_kind(), "key").await.unwrap_err();
        acl("+@all").await;
        b.queue.enqueue_once(&every_kind(), "key").await.unwrap();
        assert_eq!(standing(&owner).await, 7, "{refused}");
    }
}
