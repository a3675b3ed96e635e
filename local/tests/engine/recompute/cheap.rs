//! What a lone job costs, command by command, as Redis itself sees them.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use shared::queue::{ClaimRequest, JobOptions, NewJob, Settlement};
use shared::recompute::{Reason, recompute_job};
use shared::redis::Command;

use super::world::*;

/// A connection that sees every command, those inside scripts included.
struct Monitor(BufReader<TcpStream>);

impl Monitor {
    async fn of(world: &World) -> Self {
        let url = world.redis.url();
        let address = url.trim_start_matches("redis://").trim_end_matches('/');
        let mut monitor = Self(BufReader::new(TcpStream::connect(address).await.unwrap()));
        monitor.0.get_mut().write_all(b"MONITOR\r\n").await.unwrap();
        assert_eq!(monitor.line().await, "+OK");
        monitor
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    /// The names of the commands since the last call, each with the last word of its first key.
    async fn seen(&mut self, world: &World) -> Vec<String> {
        world.call(Command::new("ECHO").arg("until here")).await;
        let mut seen = Vec::new();
        loop {
            let line = self.line().await;
            let mut words = line.split('"').skip(1).step_by(2);
            let (name, key) = (words.next().unwrap(), words.next().unwrap_or_default());
            match name {
                "ECHO" => return seen,
                "EVALSHA" => seen.push(name.to_owned()),
                _ => seen.push(format!("{name} {}", key.rsplit(':').next().unwrap())),
            }
        }
    }
}

/// Asked for by hand, in a queue that has kept as many completed jobs as it may.
#[tokio::test]
async fn a_lone_job_costs_no_command_that_could_be_spared() {
    let mut world = World::new().await;
    world.set("QUEUE_KEEP_COMPLETED", "20");
    let projects = world.numbered(30).await;
    world.enqueue(&projects).await;
    world.tick().await;
    let mut monitor = Monitor::of(&world).await;

    let data = shared::recompute::JobData { reason: Reason::Manual, ..data(&projects[0]) };
    world.queue.enqueue(&[recompute_job(&data, world.queue.options())]).await.unwrap();
    let enqueued = monitor.seen(&world).await;
    let receipt = enqueued.last().unwrap().clone();
    assert!(receipt.starts_with("SET receipt-"), "{enqueued:?}");
    // Of the project's deduplication id and, in the same command, of a receipt that is there if this call came late.
    assert!(enqueued[1].starts_with("MGET receipt-"), "{enqueued:?}");
    assert_eq!(
        [&enqueued[..1], &enqueued[2..8]].concat(),
        [
            "EVALSHA",
            "HMGET meta",
            "INCRBY id",
            "HSET 31",
            "LPUSH wait",
            "ZADD marker",
            "MSET p0000"
        ]
    );

    let report = world.tick().await;
    let ticked = monitor.seen(&world).await;
    assert_eq!(report.billed_commands, ticked.len() as u64, "{ticked:?}");
    let receipt = ticked.iter().position(|command| command.starts_with("SET receipt-")).unwrap();
    assert_eq!(
        ticked[..receipt],
        [
            "EXISTS wait",
            // The claim.
            "EVALSHA",
            "HMGET meta",
            "LRANGE wait",
            "HMGET 31",
            "SET lock",
            "RPOPLPUSH wait",
            "HSET 31",
            // The settling.
            "EVALSHA",
            "MGET lock",
            "EXISTS dependencies",
            "LRANGE active",
            "HSET 31",
            "ZADD completed",
            "ZREVRANGE completed",
            "ZREM completed",
            "DEL lock"
        ]
    );
    // What is left, unless the settling has said it, and the report.
    let rest = &ticked[receipt + 1..];
    assert!(rest == ["XADD heartbeat"] || rest == ["EXISTS wait", "XADD heartbeat"], "{rest:?}");
}

/// While fewer completed jobs are kept than may be, their ages are looked at instead.
#[tokio::test]
async fn a_lone_job_costs_the_same_before_as_many_are_kept_as_may_be() {
    let world = World::new().await;
    let projects = world.numbered(3).await;
    world.enqueue(&projects).await;
    world.tick().await;
    world.enqueue(&projects[..1]).await;
    // Prioritized: it stands in a sorted set, whose counter ends with it.
    let nightly = world.tick().await;
    assert!(nightly.billed_commands <= 21, "{nightly:?}");
    let data = shared::recompute::JobData { reason: Reason::Manual, ..data(&projects[0]) };
    world.queue.enqueue(&[recompute_job(&data, world.queue.options())]).await.unwrap();
    let lone = world.tick().await;
    assert!(lone.billed_commands <= 19, "{lone:?}");
}

fn plain(opts: JobOptions) -> NewJob {
    NewJob { name: "job".into(), data: "{}".into(), opts, promote_duplicate: false }
}

/// Whatever stands beside the settled jobs, what is told without asking is what asking tells.
#[tokio::test]
async fn settling_tells_what_is_left_as_a_peek_does() {
    let world = World::new().await;
    let queue = &world.queue;
    let with = |opts: JobOptions| plain(opts);
    let delayed = JobOptions { delay_ms: 3_600_000, ..JobOptions::default() };
    let prioritized = JobOptions { priority: 3, ..JobOptions::default() };
    let mut told = 0;
    for round in 0..64_u32 {
        world.call(Command::new("FLUSHALL")).await;
        let size = 1 + round % 4;
        queue.enqueue(&vec![with(JobOptions::default()); size as usize]).await.unwrap();
        let claim = queue.claim(ClaimRequest::everywhere(size)).await.unwrap();
        let mut jobs: Vec<_> = claim.jobs.into_iter().collect();
        // Another batch, that stays active.
        if round & 4 != 0 {
            queue.enqueue(&[with(JobOptions::default())]).await.unwrap();
            queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
        }
        if round & 8 != 0 {
            queue.enqueue(&[with(delayed.clone())]).await.unwrap();
        }
        if round & 16 != 0 {
            queue.enqueue(&[with(prioritized.clone())]).await.unwrap();
        }
        if round & 32 != 0 {
            queue.enqueue(&[with(JobOptions::default())]).await.unwrap();
        }
        // What is paused, too, and what was active at the last recovery pass.
        if round % 3 == 0 {
            queue.pause().await.unwrap();
        }
        if round % 5 == 0 {
            queue.recover().await.unwrap();
        }
        // One that stays active as its lock is another's.
        if round % 7 == 0 && size > 1 {
            let key = format!("engineo:deo_score_queue:{}:lock", jobs[0].id);
            world.call(Command::new("SET").arg(key).arg("another's")).await;
        }
        let done = |job| (job, Settlement::Complete("null".to_owned()));
        let jobs: Vec<_> = jobs.drain(..).map(done).collect();
        let settled = queue.settle(&claim.token, &jobs).await.unwrap();
        let seen = queue.peek().await.unwrap();
        let occupied = settled.occupied.expect("it is known of a small plain batch");
        assert_eq!(occupied, seen, "round {round}");
        told += 1;
    }
    assert_eq!(told, 64);
}

/// Where something may have come to wait by the settling itself, it tells nothing.
#[tokio::test]
async fn settling_tells_nothing_that_it_may_have_changed() {
    let world = World::new().await;
    let queue = &world.queue;
    let ends = [
        Settlement::Failed("no".to_owned()),
        Settlement::Unrecoverable("no".to_owned()),
        Settlement::Release,
        Settlement::Postpone,
    ];
    for end in ends {
        queue.enqueue(&[plain(JobOptions { attempts: 2, ..JobOptions::default() })]).await.unwrap();
        let mut claim = queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
        let job = claim.jobs.pop().unwrap();
        let settled = queue.settle(&claim.token, &[(job, end.clone())]).await.unwrap();
        assert_eq!(settled.occupied, None, "{end:?}");
        world.call(Command::new("FLUSHALL")).await;
    }
    // Nor of jobs that do not end.
    queue.enqueue(&[plain(JobOptions::default())]).await.unwrap();
    let mut claim = queue.claim(ClaimRequest::everywhere(1)).await.unwrap();
    let job = claim.jobs.pop().unwrap();
    let done = [(job, Settlement::Complete("null".to_owned()))];
    assert_eq!(queue.settle("another's", &done).await.unwrap().occupied, None);
}

/// No job was active at a recovery pass, so that nothing has to be removed first that needs no memory.
#[tokio::test]
async fn a_full_redis_lets_a_batch_complete() {
    let world = World::new().await;
    let queue = &world.queue;
    for size in [1, 3] {
        queue.enqueue(&vec![plain(JobOptions::default()); size]).await.unwrap();
        let claim = queue.claim(ClaimRequest::everywhere(10)).await.unwrap();
        let jobs: Vec<_> = claim
            .jobs
            .into_iter()
            .map(|job| (job, Settlement::Complete("null".to_owned())))
            .collect();
        let set = |bytes: &str| Command::new("CONFIG").arg("SET").arg("maxmemory").arg(bytes);
        world.call(set("1")).await;
        let settled = queue.settle(&claim.token, &jobs).await;
        world.call(set("0")).await;
        assert_eq!(settled.unwrap().codes, vec![shared::queue::Code::Completed; size]);
    }
    assert_eq!(world.counts().await.completed, 4);
}

/// The claim of the last job wakes no worker, one that leaves jobs does, wherever they stand.
#[tokio::test]
async fn a_claim_wakes_the_next_worker_for_what_it_leaves() {
    let world = World::new().await;
    let queue = &world.queue;
    let marker = "engineo:deo_score_queue:marker";
    let prioritized = JobOptions { priority: 3, ..JobOptions::default() };
    let (waiting, ranked) = (plain(JobOptions::default()), plain(prioritized));
    for (added, count, wakes) in [
        (vec![waiting.clone()], 1, true),
        (vec![waiting.clone()], 2, false),
        (vec![waiting.clone(), waiting.clone()], 1, true),
        (vec![waiting.clone(), waiting.clone()], 3, false),
        (vec![waiting.clone(), ranked.clone()], 1, true),
        (vec![waiting.clone(), ranked.clone()], 3, false),
        (vec![ranked.clone(), ranked.clone()], 1, true),
        (vec![ranked.clone(), ranked.clone()], 2, true),
        (vec![ranked.clone()], 100, false),
    ] {
        world.call(Command::new("FLUSHALL")).await;
        queue.enqueue(&added).await.unwrap();
        // A worker was woken, and is claiming.
        world.call(Command::new("ZPOPMIN").arg(marker)).await;
        let claim = queue.claim(ClaimRequest::everywhere(count)).await.unwrap();
        assert_eq!(claim.jobs.len(), added.len().min(count as usize));
        let is_set = world.call(Command::new("EXISTS").arg(marker)).await.as_int() == Some(1);
        assert_eq!(is_set, wakes, "{} jobs, {count} asked for", added.len());
    }
}
