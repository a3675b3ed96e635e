//! One server, and for each worker of the tests two databases on it: one keeps a state, the other gets a
//! copy of it for each case.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use servers::RedisServer;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, Events, QueueOptions, Secret};
use shared::queue::Queue;
use shared::redis::Redis;
use tokio::sync::OnceCell;

use super::proxy::Proxy;
use super::{NOW, script};

/// Benches of one test: the server has 16 databases for all of them.
const WORKERS: u32 = 2;

async fn server() -> &'static RedisServer {
    static SERVER: OnceCell<RedisServer> = OnceCell::const_new();
    SERVER.get_or_init(|| async { RedisServer::start().await.unwrap() }).await
}

/// The benches of one test, on databases from `first` on.
pub(crate) async fn workers(first: u32) -> Vec<Bench> {
    let mut benches = Vec::new();
    for n in 0..WORKERS {
        benches.push(Bench::on(first + 2 * n).await);
    }
    benches
}

pub(crate) struct Bench {
    template_db: u32,
    template: MultiplexedConnection,
    pub(crate) work: MultiplexedConnection,
    pub(crate) proxy: Proxy,
    proxied: Redis,
    direct: Redis,
    /// By name, clients of users that lack a command.
    users: HashMap<String, Redis>,
}

fn client(url: &str) -> Redis {
    Redis::new(&Endpoint::Tcp { url: Secret::new(url), allow_plaintext: false }).unwrap()
}

/// A connection of the harness's own, which waits as long as it takes: unless told, half a second.
async fn connect(url: &str) -> MultiplexedConnection {
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
}

impl Bench {
    async fn on(template_db: u32) -> Self {
        let url = server().await.url();
        let proxy = Proxy::before(url.trim_start_matches("redis://").to_owned()).await;
        let work_db = template_db + 1;
        Self {
            template_db,
            template: connect(&format!("{url}/{template_db}")).await,
            work: connect(&format!("{url}/{work_db}")).await,
            proxied: client(&format!("redis://{}/{work_db}", proxy.address)),
            direct: client(&format!("{url}/{work_db}")),
            proxy,
            users: HashMap::new(),
        }
    }

    /// Keeps the state that these commands make.
    pub(crate) async fn keep(&mut self, lines: &[Vec<String>]) {
        let mut pipe = redis::pipe();
        pipe.cmd("FLUSHDB").ignore();
        for words in lines {
            pipe.add_command(command(words)).ignore();
        }
        pipe.exec_async(&mut self.template).await.unwrap();
    }

    /// Puts the state that is kept in place of whatever is there.
    pub(crate) async fn restore(&mut self) {
        let (from, to) = (self.template_db.to_string(), (self.template_db + 1).to_string());
        let _: i64 = script(include_str!("restore.lua"), &[&from, &to], &mut self.template).await;
    }

    /// One command on the copy.
    pub(crate) async fn raw(&mut self, words: &[String]) {
        command(words).exec_async(&mut self.work).await.unwrap();
    }

    /// The commands that scripts ran while the proxy traced.
    pub(crate) async fn trace(&mut self) -> Vec<Vec<String>> {
        let mut command = redis::cmd("LRANGE");
        command.arg("totality:trace").arg(0).arg(-1);
        let lines: Vec<String> = command.query_async(&mut self.work).await.unwrap();
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let words =
            |line: &String| -> Vec<serde_json::Value> { serde_json::from_str(line).unwrap() };
        lines.iter().map(|line| words(line).into_iter().map(text).collect()).collect()
    }

    /// The queue that is called, behind the proxy.
    pub(crate) fn behind_proxy(&self, change: fn(&mut QueueOptions)) -> Queue {
        queue(&self.proxied, "q", &Clock::manual(NOW), change)
    }

    /// One of the queues at another time, without obstacle.
    pub(crate) fn direct(&self, name: &str, clock: &Clock, change: fn(&mut QueueOptions)) -> Queue {
        queue(&self.direct, name, clock, change)
    }

    /// The queue, as a user who may do everything but one command.
    pub(crate) async fn without(&mut self, lacks: &str, change: fn(&mut QueueOptions)) -> Queue {
        if !self.users.contains_key(lacks) {
            let name = format!("lacks-{lacks}");
            let rules = ["on", ">secret", "~*", "&*", "+@all", &format!("-{lacks}")];
            let mut command = redis::cmd("ACL");
            command.arg("SETUSER").arg(&name).arg(&rules[..]);
            command.exec_async(&mut self.work).await.unwrap();
            let address = server().await.url().replace("redis://", "");
            let url = format!("redis://{name}:secret@{address}/{}", self.template_db + 1);
            self.users.insert(lacks.to_owned(), client(&url));
        }
        queue(&self.users[lacks], "q", &Clock::manual(NOW), change)
    }
}

fn command(words: &[String]) -> redis::Cmd {
    let mut command = redis::cmd(&words[0]);
    command.arg(&words[1..]);
    command
}

fn queue(redis: &Redis, name: &str, clock: &Clock, change: fn(&mut QueueOptions)) -> Queue {
    static USUAL: LazyLock<QueueOptions> =
        LazyLock::new(|| Config::from_env(&BTreeMap::new()).unwrap().queue);
    let (prefix, name) = ("t".to_owned(), name.to_owned());
    let mut config = QueueOptions { prefix, name, events: Events::Off, ..USUAL.clone() };
    change(&mut config);
    Queue::new(redis.clone(), &config, clock.clone())
}
