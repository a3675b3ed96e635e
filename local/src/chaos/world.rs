//! Starts the servers of one run, and what stands between them and whoever uses them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shared::clock::Clock;
use shared::config::{Config, Secret};
use shared::queue::Queue;
use shared::redis::{Command, Endpoint, Limits, Options, Redis, Value};
use shared::store::Database;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::caller::Caller;
use super::fleet::Fleet;
use super::journal::Journal;
use super::plan::Plan;
use super::proxy::FaultProxy;
use super::receiver::{Receiver, WITNESS};
use crate::Failure;
use crate::gateway::{Gateway, GatewayConfig};
use crate::seed;
use crate::servers::{Pooled, Pooler, PostgresServer, RedisServer};

/// The queue's prefix and its name.
pub(super) const PREFIX: &str = "chaos";
pub(super) const QUEUE: &str = "deo_score_queue";

/// Whom drains and producers are to Redis and to Postgres, and that one's password: the servers are private,
/// and gone with the run.
pub(super) const USER: &str = "functions";
pub(super) const PASSWORD: &str = "chaos";

/// How the servers of a run keep what they were told: on disk before they answer. With `everysec` a Redis that is
/// killed while its disk is busy loses what it has answered, and nobody can end that.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Of a user who may do all that the functions do.
const ACL: [&str; 7] = ["--user", USER, "on", ">chaos", "~*", "&*", "+@all"];

/// How long the servers of a fail-over may take to agree.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the faults of a run want of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setup {
    /// A second Redis, which can take over.
    pub(super) has_replica: bool,
    /// A pooler with so few connections in front of Postgres.
    pub(super) pool: Option<u32>,
    /// Whether clocks are minutes apart.
    pub(super) clocks_differ: bool,
    /// Whether finished jobs are removed after a while.
    pub(super) retains_few: bool,
}

/// A Redis and the one that follows it.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) primary: RedisServer,
    pub(super) replica: Option<RedisServer>,
}

/// The servers of one run. What users are told leads through the proxies.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) setup: Setup,
    pub(super) nodes: Mutex<Nodes>,
    /// In front of Redis, for users over TCP and for the gateway.
    pub(super) redis: FaultProxy,
    gateway: Gateway,
    pub(super) postgres: Arc<Mutex<PostgresServer>>,
    /// In front of Postgres or of its pooler.
    pub(super) database: FaultProxy,
    _pooler: Option<Pooler>,
    /// As the database's owner, past all that fails.
    owner: Database,
    /// The database's name.
    name: String,
    /// The user who owns all projects.
    user_id: String,
    pub(super) fleet: Fleet,
    pub(super) journal: Journal,
    /// Where events of drops go.
    pub(super) receiver: Receiver,
    is_over: AtomicBool,
}

impl World {
    /// Starts everything but drains and producers.
    pub(super) async fn start(
        plan: Plan,
        setup: Setup,
        drains: usize,
        postgres: Arc<Mutex<PostgresServer>>,
    ) -> Result<Self, Failure> {
        let options = [&DURABLE[..], &ACL].concat();
        let primary = RedisServer::start_with(&options).await?;
        let replica = match setup.has_replica {
            true => Some(RedisServer::start_with(&options).await?),
            false => None,
        };
        if let Some(replica) = &replica {
            follow(replica, &primary).await?;
        }
        let redis = FaultProxy::before(primary.port()).await?;
        let through = format!("redis://{USER}:{PASSWORD}@127.0.0.1:{}", redis.port());
        let config = GatewayConfig { seed: plan.seed, ..GatewayConfig::new(through, PASSWORD) };
        let gateway = Gateway::start(config).await?;

        let server = postgres.lock().await;
        let url = server.create_database().await?;
        let projects = u32::try_from(plan.projects)?;
        let now_ms = Clock::System.now_ms();
        let rows = seed::Plan { projects, pages: 2, products: 2, seed: 1, now_ms };
        let seeded = seed::into_empty(&url, &rows).await?;
        let owner = Database::parse(&Secret::new(&*url))?;
        let client = owner.connect().await?;
        client.batch_execute(&admit()).await?;
        client.batch_execute(WITNESS).await?;
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        let pooler = match setup.pool {
            Some(size) => {
                let (user, password) = (USER.to_owned(), PASSWORD.to_owned());
                let pooled = Pooled { port: server.port(), user, password };
                let settings = format!("max_db_connections = {size}\nquery_wait_timeout = 2");
                Some(Pooler::start(&pooled, &settings).await?)
            }
            None => None,
        };
        let behind = pooler.as_ref().map_or(server.port(), Pooler::port);
        drop(server);
        Ok(Self {
            plan,
            setup,
            nodes: Mutex::new(Nodes { primary, replica }),
            redis,
            gateway,
            postgres,
            database: FaultProxy::before(behind).await?,
            _pooler: pooler,
            owner,
            name,
            user_id: seeded.user_id,
            fleet: Fleet::new(drains),
            journal: Journal::default(),
            receiver: Receiver::start().await?,
            is_over: AtomicBool::new(false),
        })
    }

    /// Whether drains and producers are to end.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Lets drains end after what they are at.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// The settings of a function that reaches Redis over REST, or over TCP.
    pub(super) fn settings(&self, over_rest: bool) -> Vec<(String, String)> {
        let redis = format!("redis://{USER}:{PASSWORD}@127.0.0.1:{}", self.redis.port());
        let kept = if self.setup.retains_few { "30" } else { "all" };
        let mut settings = vec![
            ("REDIS_PREFIX", PREFIX.to_owned()),
            ("DATABASE_URL", self.database_url()),
            ("QUEUE_BATCH_SIZE", "20".to_owned()),
            ("QUEUE_KEEP_COMPLETED", kept.to_owned()),
            ("QUEUE_KEEP_COMPLETED_SECONDS", "all".to_owned()),
            ("QUEUE_KEEP_FAILED", "all".to_owned()),
            ("QUEUE_KEEP_FAILED_SECONDS", "all".to_owned()),
            ("QUEUE_BACKOFF_MS", "200".to_owned()),
            // As long as Lambda's own, one after the other: an invocation that a fault holds up is over soon.
            ("DRAIN_TIMEOUT_MS", "5000".to_owned()),
            ("DRAIN_MARGIN_MS", "1500".to_owned()),
            ("QUEUE_LOCK_MS", "36000".to_owned()),
        ];
        settings.extend(self.receiver.settings());
        if over_rest {
            settings.push(("UPSTASH_REDIS_REST_URL", self.gateway.url()));
            settings.push(("UPSTASH_REDIS_REST_TOKEN", PASSWORD.to_owned()));
        } else {
            settings.push(("REDIS_URL", redis));
        }
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Where Postgres is for whoever meets its faults.
    pub(super) fn database_url(&self) -> String {
        let port = self.database.port();
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{}", self.name)
    }

    /// A queue as a producer has it, with the patience of one that asks again.
    pub(super) fn producer(&self, over_rest: bool) -> Result<Queue, Failure> {
        let settings: BTreeMap<String, String> = self.settings(over_rest).into_iter().collect();
        let config = Config::from_env(&settings)?;
        let endpoint = config.redis.as_ref().ok_or("a producer without a Redis")?;
        let limits = Limits { answer: Duration::from_secs(1), ..Limits::default() };
        let redis = Redis::with_options(endpoint, Options { limits, ..Options::default() })?;
        Ok(Queue::new(redis, &config.queue, Clock::System))
    }

    /// The API, and the owner of the projects as its caller.
    pub(super) async fn caller(&self) -> Result<Caller, Failure> {
        Caller::start(self.settings(true), &self.user_id).await
    }

    /// The queue past everything that fails.
    pub(super) async fn queue(&self) -> Result<Queue, Failure> {
        let queue = self.producer(false)?;
        Ok(queue.over(admin(&self.nodes.lock().await.primary)?))
    }

    /// Runs a command on the primary, past everything that fails.
    pub(super) async fn redis(&self, command: Command) -> Result<Value, Failure> {
        Ok(admin(&self.nodes.lock().await.primary)?.call(command).await?)
    }

    /// The nodes, to be worked on: nobody else restarts or changes them meanwhile.
    pub(super) async fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().await
    }

    /// A connection to the run's database as its owner.
    pub(super) async fn owner(&self) -> Result<Client, Failure> {
        // While Postgres is down nobody connects.
        let _up = self.postgres.lock().await;
        Ok(self.owner.connect().await?)
    }

    /// The run's database as its owner has it.
    pub(super) fn as_owner(&self) -> &Database {
        &self.owner
    }

    /// Sets the gateway's faults; an empty text takes them away.
    pub(super) async fn gateway_faults(&self, faults: &str, seed: u64) -> Result<(), Failure> {
        let body = serde_json::json!({ "faults": faults, "seed": seed }).to_string();
        let answer = reqwest::Client::new()
            .put(format!("{}/_gateway/faults", self.gateway.url()))
            .bearer_auth(PASSWORD)
            .body(body)
            .send()
            .await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// Makes all well, whatever a strike has left.
    pub(super) async fn heal(&self) -> Result<(), Failure> {
        self.gateway_faults("", self.plan.seed).await?;
        self.redis.heal();
        self.database.heal();
        self.owner().await?.batch_execute(&restore()).await?;
        let heal = Command::new("ACL").args(["SETUSER", USER, "on", "+@all"]);
        self.redis(heal).await?;
        self.redis(Command::new("CONFIG").args(["SET", "maxmemory", "0"])).await?;
        Ok(())
    }
}

/// A client of a node's, which may do everything.
pub(super) fn admin(server: &RedisServer) -> Result<Redis, Failure> {
    let url = Secret::new(server.url());
    Ok(Redis::new(&Endpoint::Tcp { url, allow_plaintext: false })?)
}

/// Lets `replica` follow `primary`, and waits until it has all that this has.
pub(super) async fn follow(replica: &RedisServer, primary: &RedisServer) -> Result<(), Failure> {
    let port = primary.port().to_string();
    let command = Command::new("REPLICAOF").args(["127.0.0.1", &port]);
    admin(replica)?.call(command).await?;
    info_says(replica, "master_link_status:up").await
}

/// Waits until a node's INFO replication has this line.
pub(super) async fn info_says(server: &RedisServer, line: &str) -> Result<(), Failure> {
    let (redis, patience) = (admin(server)?, Instant::now() + PATIENCE);
    loop {
        let info = redis.call(Command::new("INFO").arg("replication").replay_safe()).await;
        match &info {
            Ok(info) if info.as_str().is_some_and(|info| info.contains(line)) => return Ok(()),
            _ if Instant::now() > patience => {
                return Err(format!("a node does not say {line}: {info:?}").into());
            }
            _ => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// A role of its own for the functions; the server may know it from an earlier run.
fn admit() -> String {
    format!(
        "DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{USER}') THEN
                CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}';
            END IF;
        END $$;
        GRANT ALL ON ALL TABLES IN SCHEMA public TO {USER};
        GRANT USAGE ON SCHEMA deo TO {USER}; GRANT ALL ON deo.score_drop TO {USER}; {}",
        restore()
    )
}

/// Takes from the functions' role whatever a strike may have set.
fn restore() -> String {
    format!("ALTER ROLE {USER} RESET ALL; ALTER ROLE {USER} CONNECTION LIMIT -1;")
}
