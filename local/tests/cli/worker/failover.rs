//! A failover under a worker that sleeps, and under one that works.

use std::time::Duration;

use local::relay::Relay;
use servers::RedisServer;
use shared::clock::Clock;
use shared::config::{Endpoint, Secret};
use shared::queue::Queue;
use shared::redis::{Command, Redis};
use tokio::time::{Instant, sleep};

use super::world::{Worker, World, asleep, halfway};

/// A world whose workers find Redis behind an address, and a replica of that Redis.
struct Failover {
    world: World,
    relay: Relay,
    replica: RedisServer,
    /// The queue on the replica.
    there: Queue,
}

impl Failover {
    async fn start() -> Self {
        let mut world = World::start().await;
        let relay = Relay::to(([127, 0, 0, 1], world.redis.port()).into()).await.unwrap();
        world.env.insert("REDIS_URL".to_owned(), format!("redis://{}", relay.address()));
        let replica = RedisServer::start().await.unwrap();
        let url = Secret::new(replica.url());
        let there = Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap();
        let there = Queue::new(there, world.queue.options(), Clock::System);
        let this = Self { world, relay, replica, there };
        let delay = ["CONFIG", "SET", "repl-diskless-sync-delay", "0"];
        this.world.call(Command::new(delay[0]).args(delay[1..].to_vec())).await;
        this.tell_replica(&["REPLICAOF", "127.0.0.1", &this.world.redis.port().to_string()]).await;
        this.caught_up().await;
        this
    }

    async fn tell_replica(&self, words: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let name: &'static str = words[0].clone().leak();
        self.there.redis().call(Command::new(name).args(words[1..].to_vec())).await.unwrap();
    }

    /// Until the replica has what the primary had at this moment.
    async fn caught_up(&self) {
        let offset = async |queue: &Queue, field: &str| {
            let info = Command::new("INFO").arg("replication");
            let info = queue.redis().call(info).await.unwrap();
            let lines = info.as_str().unwrap().lines();
            let found = lines.filter_map(|line| line.strip_prefix(field)).next();
            found.unwrap().trim().parse::<i64>().unwrap()
        };
        let written = offset(&self.world.queue, "master_repl_offset:").await;
        for _ in 0..1_000 {
            if offset(&self.there, "slave_repl_offset:").await >= written {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the replica stays behind");
    }

    /// Promotes the replica, lets the address lead there, and demotes the primary.
    async fn fail_over(&self) {
        self.caught_up().await;
        self.tell_replica(&["REPLICAOF", "NO", "ONE"]).await;
        self.relay.lead_to(([127, 0, 0, 1], self.replica.port()).into());
        let port = self.replica.port().to_string();
        self.world.call(Command::new("REPLICAOF").arg("127.0.0.1").arg(port)).await;
    }

    /// The same, but that the demoted server follows nobody: what it tells is what was before, for ever.
    async fn fail_over_for_good(&self) {
        self.caught_up().await;
        self.tell_replica(&["REPLICAOF", "NO", "ONE"]).await;
        self.relay.lead_to(([127, 0, 0, 1], self.replica.port()).into());
        self.world.call(Command::new("REPLICAOF").arg("127.0.0.1").arg("1")).await;
    }

    /// Until so many jobs are completed there; how long that took.
    async fn completed(&self, jobs: u64) -> Duration {
        let begun = Instant::now();
        while self.there.counts().await.unwrap().completed < jobs {
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", self.there.counts().await);
            sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    }
}

#[tokio::test]
async fn a_worker_that_sleeps_wakes_for_a_job_at_the_new_primary() {
    let failover = Failover::start().await;
    // Too seldom for the job to be found by looking.
    let worker = Worker::start(&failover.world, &["--every", "600s"]).await;
    failover.world.add(1, 0).await;
    failover.completed(1).await;
    asleep(&failover.world).await;
    failover.fail_over().await;
    let job = failover.world.job(2, 0);
    failover.there.enqueue(&[job]).await.unwrap();
    let took = failover.completed(2).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(worker);
}

/// What looks for jobs reads over another connection than what waits for them, and reads are answered by a demoted server
/// as ever.
#[tokio::test]
async fn a_worker_that_is_woken_does_not_look_where_nothing_changes_any_more() {
    let failover = Failover::start().await;
    let worker = Worker::start(&failover.world, &["--every", "600s"]).await;
    failover.world.add(1, 0).await;
    failover.completed(1).await;
    asleep(&failover.world).await;
    failover.fail_over_for_good().await;
    for (project, completed) in [(2, 2), (3, 3)] {
        let job = failover.world.job(project, 0);
        failover.there.enqueue(&[job]).await.unwrap();
        let took = failover.completed(completed).await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    drop(worker);
}

#[tokio::test]
async fn a_worker_with_batches_under_way_ends_them_at_the_new_primary() {
    let failover = Failover::start().await;
    let (worker, blocker) = halfway(&failover.world).await;
    failover.fail_over().await;
    blocker.batch_execute("ROLLBACK").await.unwrap();
    let took = failover.completed(300).await;
    println!("300 jobs over a failover: {took:?}");
    assert_eq!(failover.world.stored().await, (300, 300));
    let counts = failover.there.counts().await.unwrap();
    assert_eq!((counts.active, counts.failed, counts.wait), (0, 0, 0), "{counts:?}");
    drop(worker);
}

#[tokio::test]
async fn a_worker_tells_at_its_start_that_redis_would_delete_jobs() {
    let mut world = World::start().await;
    let policy = ["SET", "maxmemory-policy", "allkeys-lru"];
    world.call(Command::new("CONFIG").args(policy.to_vec())).await;
    world.env.insert("ENABLE_CRN".to_owned(), "true".to_owned());
    let errors = Worker::errors_of_one_that_slept(&world).await;
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 2, "{errors}");
    assert!(lines[0].starts_with("deo: ENABLE_CRN is not read"), "{errors}");
    assert!(lines[1].starts_with("deo: Redis deletes keys when it is full"), "{errors}");
}
