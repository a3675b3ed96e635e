//! What stands in Redis, beside what the model says.
//!
//! Equal lists and sets mean: no id is in two places or twice in one, every job that was accepted is
//! somewhere, and each has its hash.

use std::collections::{BTreeMap, BTreeSet};

use shared::redis::{Command, Value};

use super::bench::Bench;
use super::states::Job;
use super::steps::DEDUPS;
use super::working::data;

/// After every so many steps what stands beside the lists is compared: locks, hashes, holders.
const BESIDES: usize = 3;
/// After every so many steps the whole is: every field of every job, and whether other keys are there.
const WHOLE: usize = 15;

const FIELDS: [&str; 10] =
    ["data", "priority", "delay", "processedOn", "finishedOn", "atm", "ats", "stc", "deid", "defa"];

impl Bench<'_> {
    /// Compares the lists and sets after the step of this number; after some also what stands beside
    /// them, after fewer every field and key.
    pub(crate) async fn compare(&self, number: usize) -> Result<(), String> {
        self.compare_states().await?;
        if number.is_multiple_of(BESIDES) {
            self.compare_besides().await?;
        }
        if number.is_multiple_of(WHOLE) { self.compare_whole().await } else { Ok(()) }
    }

    fn ask(&self, name: &'static str, key: &str) -> Command {
        Command::new(name).arg(self.key(key)).replay_safe()
    }

    async fn compare_states(&self) -> Result<(), String> {
        let model = &self.model;
        let all = |name, key: &str| self.ask(name, key).arg("0").arg("-1");
        let scored = |key: &str| all("ZRANGE", key).arg("WITHSCORES");
        let commands = vec![
            all("LRANGE", "wait"),
            all("LRANGE", "paused"),
            all("LRANGE", "active"),
            scored("prioritized"),
            scored("delayed"),
            scored("completed"),
            scored("failed"),
        ];
        let answers = self.send(commands).await?;
        let mut waiting: Vec<String> = model.waiting.iter().rev().cloned().collect();
        let mut paused = Vec::new();
        if model.is_paused {
            std::mem::swap(&mut waiting, &mut paused);
        }
        same("wait", texts(&answers[0]), waiting)?;
        same("paused", texts(&answers[1]), paused)?;
        // The order of active jobs means nothing.
        let mut active = texts(&answers[2]);
        active.sort();
        same("active", active, model.active.iter().cloned().collect())?;
        let ranked = model.prioritized.iter().map(|(score, id)| (*score as i64, id.clone()));
        same("prioritized", scores(&answers[3]), ranked.collect())?;
        // The places within a millisecond may have gaps where jobs left while others came.
        let due = |list: Vec<(i64, String)>| -> Vec<(i64, String)> {
            list.into_iter().map(|(score, id)| (score.div_euclid(4096), id)).collect()
        };
        same("delayed", due(scores(&answers[4])), due(model.delayed.iter().cloned().collect()))?;
        same("completed", scores(&answers[5]), model.completed.iter().cloned().collect())?;
        same("failed", scores(&answers[6]), model.failed.iter().cloned().collect())
    }

    async fn compare_besides(&self) -> Result<(), String> {
        let model = &self.model;
        let locked: Vec<&String> = model.locks.keys().chain(&model.active).collect();
        let locks = locked.iter().map(|id| self.key(&format!("{id}:lock")));
        let hashes = model.jobs.keys().map(|id| self.key(id));
        let commands = vec![
            self.ask("SMEMBERS", "stalled"),
            Command::new("MGET").args(DEDUPS.map(|id| self.key(&format!("de:d{id}")))),
            // One key at least for each question.
            Command::new("MGET").args(locks).arg(self.key("none")),
            Command::new("EXISTS").args(hashes).arg(self.key("none")),
        ];
        let answers = self.send(commands).await?;
        let suspects: BTreeSet<String> = texts(&answers[0]).into_iter().collect();
        same("stalled", suspects, model.suspects.clone())?;
        let holder = |id| model.holders.get(&id).map(|(holder, _)| holder.clone());
        same("de:", options(&answers[1]), DEDUPS.map(holder).to_vec())?;
        let owners = locked.iter().map(|id| Some(model.locks.get(*id)?.0.clone()));
        same("locks", options(&answers[2]), owners.chain([None]).collect())?;
        same("hashes", answers[3].as_int(), Some(model.jobs.len() as i64))
    }

    async fn compare_whole(&self) -> Result<(), String> {
        let mut commands = Vec::new();
        for id in self.model.jobs.keys() {
            commands.push(Command::new("HMGET").arg(self.key(id)).args(FIELDS).replay_safe());
        }
        let count = commands.len();
        for dedup in self.model.holders.keys() {
            commands.push(Command::new("PTTL").arg(self.key(&format!("de:d{dedup}"))));
        }
        let answers = if commands.is_empty() { Vec::new() } else { self.send(commands).await? };
        for ((id, job), answer) in self.model.jobs.iter().zip(&answers) {
            let found: BTreeMap<&str, Option<String>> =
                FIELDS.into_iter().zip(options(answer)).collect();
            same(id, found, FIELDS.into_iter().zip(fields(job)).collect())?;
        }
        for ((dedup, (_, end)), ttl) in self.model.holders.iter().zip(&answers[count..]) {
            let lives = ttl.as_int().filter(|ms| *ms >= 0).is_some();
            same(&format!("the time of de:d{dedup}"), lives, end.is_some())?;
        }
        let known: BTreeSet<String> = self.known_keys();
        let strays = self.names().await?.into_iter().filter(|name| {
            !known.contains(name) && !name.starts_with(&self.key("batchmq:receipt-"))
        });
        same("keys that nobody knows", strays.collect(), Vec::<String>::new())
    }

    fn known_keys(&self) -> BTreeSet<String> {
        const OWN: [&str; 15] = [
            "wait",
            "paused",
            "active",
            "prioritized",
            "pc",
            "delayed",
            "meta",
            "marker",
            "events",
            "id",
            "limiter",
            "stalled",
            "stalled-check",
            "completed",
            "failed",
        ];
        let jobs = self.model.jobs.keys().map(|id| self.key(id));
        let locks = self.model.locks.keys().map(|id| self.key(&format!("{id}:lock")));
        let held = self.model.holders.keys().map(|id| self.key(&format!("de:d{id}")));
        OWN.iter().map(|name| self.key(name)).chain(jobs).chain(locks).chain(held).collect()
    }
}

fn fields(job: &Job) -> [Option<String>; 10] {
    let time = |at: Option<i64>| at.map(|at| at.to_string());
    let count = |n: u32| (n > 0).then(|| n.to_string());
    [
        Some(data(job.serial)),
        Some(job.priority.to_string()),
        Some(job.delay.to_string()),
        time(job.processed),
        time(job.finished),
        count(job.attempts_made),
        count(job.attempts_started),
        count(job.stalled),
        job.dedup().map(|dedup| format!("d{dedup}")),
        job.is_doomed.then(|| "job stalled more than allowable limit".to_owned()),
    ]
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    options(value).into_iter().flatten().collect()
}

fn options(value: &Value) -> Vec<Option<String>> {
    let items = value.as_array().unwrap_or_default();
    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn scores(value: &Value) -> Vec<(i64, String)> {
    let flat = texts(value);
    let pairs = flat.chunks_exact(2);
    pairs.map(|pair| (pair[1].parse::<f64>().unwrap_or(f64::NAN) as i64, pair[0].clone())).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}")) }
}
