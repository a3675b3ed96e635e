//! A real queue beside the model: each step is done to both, and both must say the same.

use std::time::Duration;

use fixture::lossy::Lossy;
use shared::clock::Clock;
use shared::config::{Config, Endpoint, QueueOptions, Secret};
use shared::queue::{ClaimRequest, ClaimedJob, Queue};
use shared::redis::{Command, Redis, Value};

use super::states::Model;
use super::steps::{Ask, End, Fate, LOCK_MS, Pick, Sequence, Step};

const NOW: i64 = 1_800_000_000_000;

/// Two ways to one server: plain, and by a proxy that can lose answers. Sequences follow each other
/// over them.
pub(crate) struct Ways {
    plain: Redis,
    lossy: Redis,
    proxy: Lossy,
}

impl Ways {
    pub(crate) async fn to(url: &str) -> Self {
        let proxy = Lossy::before(url).await;
        Self { plain: client(url), lossy: client(&proxy.url), proxy }
    }
}

fn client(url: &str) -> Redis {
    let url = Secret::new(url);
    Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap()
}

/// What a claimer holds, or held.
pub(crate) struct Hand {
    pub(crate) token: String,
    pub(crate) jobs: Vec<ClaimedJob>,
}

pub(crate) struct Bench<'a> {
    pub(crate) queue: Queue,
    lossy: Queue,
    proxy: &'a Lossy,
    clock: Clock,
    pub(crate) base: String,
    pub(crate) model: Model,
    pub(crate) hands: Vec<Hand>,
    /// Adds under idempotency keys so far.
    pub(crate) keys: usize,
}

impl<'a> Bench<'a> {
    /// Runs a sequence under a prefix of its own, then lets the queue come to rest. Says after which
    /// step something was wrong, and what.
    pub(crate) async fn run(
        ways: &'a Ways,
        prefix: &str,
        sequence: &Sequence,
    ) -> Result<(), String> {
        let mut bench = Self::new(ways, prefix, sequence);
        let result = bench.whole_run(sequence).await;
        bench.clear().await;
        result
    }

    fn new(ways: &'a Ways, prefix: &str, sequence: &Sequence) -> Self {
        let env = std::collections::BTreeMap::new();
        let config = QueueOptions {
            prefix: prefix.to_owned(),
            events: sequence.events(),
            open_deduplication: sequence.opens_deduplication(),
            lock: Duration::from_millis(LOCK_MS as u64),
            ..Config::from_env(&env).unwrap().queue
        };
        let clock = Clock::manual(NOW);
        Self {
            queue: Queue::new(ways.plain.clone(), &config, clock.clone()),
            lossy: Queue::new(ways.lossy.clone(), &config, clock.clone()),
            proxy: &ways.proxy,
            clock,
            base: format!("{prefix}:{}:", config.name),
            model: Model {
                now: NOW,
                is_version_five: sequence.is_version_five(),
                opens_deduplication: sequence.opens_deduplication(),
                ..Model::default()
            },
            hands: Vec::new(),
            keys: 0,
        }
    }

    async fn whole_run(&mut self, sequence: &Sequence) -> Result<(), String> {
        let version = if sequence.is_version_five() { "bullmq:5.65.1" } else { "bullmq:6.7.0" };
        let name = Command::new("HSET").arg(self.key("meta")).arg("version").arg(version);
        self.send(vec![name]).await?;
        for (number, step) in sequence.steps.iter().enumerate() {
            let told = |error| format!("after step {number}, {step:?}: {error}");
            self.step(step, number).await.map_err(told)?;
        }
        self.rest().await
    }

    async fn step(&mut self, step: &Step, number: usize) -> Result<(), String> {
        self.take(step).await?;
        self.proxy.lose(0);
        self.compare(number).await
    }

    /// Lets everything run that can: then all jobs have ended, nothing is locked, and no deduplication
    /// key blocks anything.
    async fn rest(&mut self) -> Result<(), String> {
        let fate = Fate::Plain;
        let open = [Step::Resume { fate }, Step::Concurrency(None), Step::Rate(None)];
        let pass = [Step::Advance(LOCK_MS + 1), Step::Recover { fate }];
        let told = |error| format!("while it came to rest: {error}");
        for step in &open {
            self.step(step, 1).await.map_err(told)?;
        }
        for _ in 0..4 {
            for step in &pass {
                self.step(step, 1).await.map_err(told)?;
            }
            self.work_off().await.map_err(told)?;
        }
        if let Some((id, job)) = self.model.jobs.iter().find(|(_, job)| job.is_live()) {
            return Err(format!("{id} never ended: {job:?}"));
        }
        self.add_anew().await.map_err(told)?;
        self.work_off().await.map_err(told)?;
        if !self.model.locks.is_empty() {
            return Err(format!("locks remain: {:?}", self.model.locks));
        }
        self.compare(0).await.map_err(told)
    }

    async fn work_off(&mut self) -> Result<(), String> {
        let ask = Ask { count: 50, wait: true, prioritized: true, delayed: true };
        let fate = Fate::Plain;
        for _ in 0..200 {
            let before = self.hands.len();
            self.step(&Step::Claim { ask, fate }, 1).await?;
            if self.hands.len() == before {
                return Ok(());
            }
            let claim = Pick { n: 0, fit: false };
            let ends = vec![End::Complete];
            self.step(&Step::Settle { claim, ends, next: None, fate }, 1).await?;
        }
        Err("there is no end of work".to_owned())
    }

    /// The way for a call of this fate.
    pub(crate) fn way(&self, fate: Fate) -> &Queue {
        match fate {
            Fate::Lost => {
                self.proxy.lose(1);
                &self.lossy
            }
            _ => &self.queue,
        }
    }

    pub(crate) async fn advance(&mut self, ms: i64) -> Result<(), String> {
        self.clock.advance(ms);
        let ended = self.model.advance(ms);
        let Some(_) = ended.first() else { return Ok(()) };
        let keys = ended.iter().map(|name| self.key(name));
        self.send(vec![Command::new("DEL").args(keys)]).await.map(drop)
    }

    /// The claim that is meant; the newest is number 0.
    pub(crate) fn hand(&self, pick: Pick) -> Option<&Hand> {
        let holds = |hand: &Hand| {
            let owned = |job: &ClaimedJob| {
                self.model.locks.get(&job.id).is_some_and(|(owner, _)| *owner == hand.token)
            };
            hand.jobs.iter().any(owned)
        };
        let fitting: Vec<&Hand> = match pick.fit {
            true => self.hands.iter().rev().filter(|hand| holds(hand)).collect(),
            false => Vec::new(),
        };
        let all: Vec<&Hand> =
            if fitting.is_empty() { self.hands.iter().rev().collect() } else { fitting };
        let place = usize::from(pick.n).checked_rem(all.len())?;
        all.get(place).copied()
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    pub(crate) async fn send(&self, commands: Vec<Command>) -> Result<Vec<Value>, String> {
        let answers = self.queue.redis().pipeline(commands).await.map_err(|e| e.to_string())?;
        answers.into_iter().map(|answer| answer.map_err(|e| e.to_string())).collect()
    }

    pub(crate) async fn names(&self) -> Result<Vec<String>, String> {
        let found = Command::new("KEYS").arg(self.key("*"));
        Ok(super::compare::texts(&self.send(vec![found]).await?[0]))
    }

    async fn clear(&self) {
        let Ok(names) = self.names().await else { return };
        if !names.is_empty() {
            let _ = self.send(vec![Command::new("UNLINK").args(names)]).await;
        }
    }
}

pub(crate) fn request(ask: Ask) -> ClaimRequest {
    let Ask { count, wait, prioritized, delayed } = ask;
    ClaimRequest { count, wait, prioritized, delayed, lock: None }
}
