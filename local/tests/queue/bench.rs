//! A queue of its own for one test, with a clock that the test moves.

use std::collections::BTreeMap;

use fixture::{config, redis_server};
use shared::clock::Clock;
use shared::config::{Endpoint, QueueOptions, Secret};
use shared::queue::{ClaimRequest, Queue, State};
use shared::redis::{Command, Redis, Value};

pub(crate) const NOW: i64 = 1_800_000_000_000;

pub(crate) const ALL: ClaimRequest =
    ClaimRequest { count: 100, wait: true, prioritized: true, delayed: true, lock: None };

pub(crate) fn settings(prefix: &str) -> QueueOptions {
    QueueOptions { prefix: prefix.to_owned(), ..config(&BTreeMap::new()).queue }
}

pub(crate) fn client(url: &str) -> Redis {
    let url = Secret::new(url);
    Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap()
}

/// A queue of its own for one test, with a clock that the test moves.
pub(crate) struct Bench {
    pub(crate) queue: Queue,
    pub(crate) clock: Clock,
    pub(crate) base: String,
}

impl Bench {
    /// On the Redis of this binary; the prefix is no other test's.
    pub(crate) async fn new(prefix: &str) -> Self {
        Self::on(&redis_server().await.url(), prefix, |_| {})
    }

    pub(crate) fn on(url: &str, prefix: &str, change: impl FnOnce(&mut QueueOptions)) -> Self {
        let clock = Clock::manual(NOW);
        let mut config = settings(prefix);
        change(&mut config);
        let queue = Queue::new(client(url), &config, clock.clone());
        Self { queue, clock, base: format!("{prefix}:{}:", config.name) }
    }

    pub(crate) async fn raw(&self, name: &'static str, key: &str, args: &[&str]) -> Value {
        let command = Command::new(name).arg(format!("{}{key}", self.base)).args(args.to_vec());
        self.queue.redis().call(command).await.unwrap()
    }

    pub(crate) async fn list(&self, key: &str) -> Vec<String> {
        let value = self.raw("LRANGE", key, &["0", "-1"]).await;
        value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn state(&self, id: &str) -> Option<State> {
        self.queue.job(id).await.unwrap().map(|job| job.state.expect("it is in some state"))
    }
}
