//! Makes a look out of the one before, within its price.

use super::ask::{Ask, chosen, is_quiet};
use super::{Figure, MOST_COMMANDS, MOST_SCHEDULES, Overview, SPANS, upcoming};
use crate::answer::strings;
use crate::error::Error;
use crate::heartbeat::{self, MOST_BEATS};
use crate::look::hold::lock_ms;
use crate::look::oldest::{HEAD, eldest};
use crate::look::throughput::{self, ENDS};
use crate::operate::limits::{Limits, StoredRate, whole};
use crate::queue::Queue;
use batchmq_redis::{Command, Condition, Value};

/// Of these one command tells which exist, by how often it names each.
const RARE: [(&str, i64); 7] = [
    ("paused", PAUSED),
    ("prioritized", PRIORITIZED),
    ("delayed", DELAYED),
    ("waiting-children", WAITING_CHILDREN),
    ("repeat", REPEAT),
    ("metrics:completed", METRICS),
    ("metrics:failed", METRICS),
];
const PAUSED: i64 = 1;
const PRIORITIZED: i64 = 2;
const DELAYED: i64 = 4;
const WAITING_CHILDREN: i64 = 8;
const REPEAT: i64 = 16;
/// Either of the two. It is the largest, so that both together can be taken for nothing else.
const METRICS: i64 = 32;

/// Which of [`RARE`] there are.
#[derive(Clone, Copy)]
struct Rare(i64);

impl Rare {
    fn has(self, key: i64) -> bool {
        match key {
            METRICS => self.0 >= METRICS,
            _ => self.0 & key != 0,
        }
    }
}

fn count(answer: &Value) -> Result<u64, Error> {
    answer.as_int().and_then(|n| u64::try_from(n).ok()).ok_or(Error::Protocol("LLEN"))
}

/// Makes a look out of the one `before`.
pub(super) async fn look(queue: &Queue, before: Overview) -> Result<Overview, Error> {
    let at_ms = queue.clock.now_ms();
    let mut look = Overview { at_ms, hold: None, ..before };
    let (rare, spent) = first(queue, &mut look).await?;
    let (pressing, rest) = wanted(queue, &mut look, rare);
    let asks = chosen(&look, MOST_COMMANDS.saturating_sub(spent), &pressing, &rest);
    let commands: Vec<_> = asks.iter().map(|ask| ask.commands(queue, &look)).collect();
    let mut lengths = commands.iter().map(Vec::len).collect::<Vec<_>>().into_iter();
    let mut answers = asked(queue, commands.into_iter().flatten()).await?.into_iter();
    let mut then = Vec::new();
    for ask in asks {
        let answers = answers.by_ref().take(lengths.next().unwrap_or_default());
        let answers = answers.collect::<Result<Vec<Value>, _>>()?;
        then.extend(read(queue, &mut look, ask, answers)?.map(|command| (ask, command)));
    }
    let (asks, commands): (Vec<_>, Vec<_>) = then.into_iter().unzip();
    let answers = asked(queue, commands).await?;
    let mut lock_left_ms = None;
    for (ask, answer) in asks.into_iter().zip(answers) {
        match ask {
            Ask::Lock => lock_left_ms = answer?.as_int().and_then(lock_ms),
            Ask::Head => look.head = look.now(added_ms(answer)?),
            _ => look.first = look.now(added_ms(answer)?),
        }
    }
    if look.metrics.iter().all(Option::is_some) {
        // These tell more, from now on.
        look.kept = [None, None];
    }
    look.oldest_waiting_ms = look.oldest();
    let waits = look.counts.wait > 0 || rare.has(PAUSED) || rare.has(PRIORITIZED);
    look.hold = queue.with_own_rate(look.limits).hold(waits, lock_left_ms);
    Ok(look)
}

type Answer = Result<Value, batchmq_redis::Error>;

async fn asked(
    queue: &Queue,
    commands: impl IntoIterator<Item = Command>,
) -> Result<Vec<Answer>, Error> {
    let commands: Vec<_> = commands.into_iter().map(Command::replay_safe).collect();
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    Ok(queue.redis.pipeline(commands).await?)
}

/// When a job was added. An id without a job has no time, nor has one whose key holds something else.
fn added_ms(answer: Answer) -> Result<Option<i64>, Error> {
    match answer {
        Err(error) if error.kind().condition() == Some(Condition::WrongType) => Ok(None),
        answer => Ok(answer?.as_str().and_then(|added| added.parse().ok())),
    }
}

/// Reads what every look reads; returns which of [`RARE`] exist, and how many commands that took.
async fn first(queue: &Queue, look: &mut Overview) -> Result<(Rare, u64), Error> {
    let key = |name: &str| queue.keys.of(name);
    let mut exist = Command::new("EXISTS");
    for (name, times) in RARE {
        for _ in 0..times {
            exist = exist.arg(key(name));
        }
    }
    let settings = ["paused", "concurrency", "max", "duration"];
    let commands = [
        Command::new("HMGET").arg(key("meta")).args(settings),
        exist,
        Command::new("LLEN").arg(key("wait")),
        Command::new("LLEN").arg(key("active")),
        Command::new("ZCARD").arg(key("failed")),
    ];
    let spent = commands.len() as u64;
    let answers = asked(queue, commands).await?;
    let answers = answers.into_iter().collect::<Result<Vec<Value>, _>>()?;
    let [meta, exist, wait, active, failed] = answers.as_slice() else {
        return Err(Error::Protocol("HMGET"));
    };
    let meta = meta.as_array().ok_or(Error::Protocol("HMGET"))?;
    let number = |place: usize| meta.get(place).and_then(Value::as_str).and_then(whole);
    look.counts.wait = count(wait)?;
    look.counts.active = count(active)?;
    look.counts.failed = count(failed)?;
    let rate = number(2).zip(number(3)).map(|(max, duration_ms)| StoredRate { max, duration_ms });
    look.limits = Limits {
        paused: meta.first().is_some_and(|paused| !paused.is_nil()),
        concurrency: number(1),
        active: look.counts.active,
        rate,
        ..Limits::default()
    };
    Ok((Rare(exist.as_int().ok_or(Error::Protocol("EXISTS"))?), spent))
}

/// Tells what the look would like to ask for, what is pressing first, and writes down what is known without.
fn wanted(queue: &Queue, look: &mut Overview, rare: Rare) -> (Vec<Ask>, Vec<Ask>) {
    let (mut pressing, mut rest) = (Vec::new(), vec![Ask::Beats]);
    // A look must say which limit holds the queue, and for how long.
    let is_limited = queue.with_own_rate(look.limits).rate.is_some();
    if is_limited {
        pressing.push(Ask::Limit);
    }
    match rare.has(PAUSED) {
        true => pressing.push(Ask::Paused),
        false => look.counts.paused = 0,
    }
    let lists = look.counts.wait > 0 || rare.has(PAUSED);
    let is_full = look.limits.concurrency.is_some_and(|most| look.counts.active >= most);
    // While jobs may start, nobody waits for a lock.
    let waits_for_lock = is_full || !(lists || rare.has(PRIORITIZED));
    if look.counts.active > 0 && !look.limits.paused && waits_for_lock {
        pressing.push(Ask::Lock);
    }
    let none = look.now(0);
    match rare.has(PRIORITIZED) {
        true => rest.push(Ask::Prioritized),
        false => (look.counts.prioritized, look.first) = (none, look.now(None)),
    }
    match rare.has(DELAYED) {
        true => rest.push(Ask::Delayed),
        false => look.counts.delayed = none,
    }
    match rare.has(WAITING_CHILDREN) {
        true => rest.push(Ask::WaitingChildren),
        false => look.counts.waiting_children = none,
    }
    rest.push(Ask::Completed);
    match lists {
        true => rest.push(Ask::Head),
        false => look.head = look.now(None),
    }
    if rare.has(PRIORITIZED) {
        rest.push(Ask::First);
    }
    match rare.has(REPEAT) {
        true => rest.push(Ask::Schedules),
        false => look.schedules = look.now(Vec::new()),
    }
    if rare.has(METRICS) {
        rest.extend([Ask::Metrics(0), Ask::Metrics(1)]);
    } else {
        look.metrics = [None, None];
        rest.push(Ask::Kept(0));
        // Where none has failed, none has of late.
        match look.counts.failed > 0 {
            true => rest.push(Ask::Kept(1)),
            false => look.kept[1] = look.now([0; SPANS.len()]),
        }
    }
    if !is_limited && is_quiet(look) {
        rest.push(Ask::Signs);
    }
    (pressing, rest)
}

impl Ask {
    /// What is asked at once.
    fn commands(self, queue: &Queue, look: &Overview) -> Vec<Command> {
        let on = |command, name: &str| Command::new(command).arg(queue.keys.of(name));
        match self {
            Self::Limit => {
                let [idle, former] = queue.sign_keys();
                vec![on("MGET", "limiter").args([idle, former]), on("PTTL", "limiter")]
            }
            Self::Signs => vec![Command::new("MGET").args(queue.sign_keys())],
            Self::Beats => vec![queue.beats(MOST_BEATS)],
            Self::Paused => vec![on("LLEN", "paused")],
            Self::Prioritized => vec![on("ZCARD", "prioritized")],
            Self::Delayed => vec![on("ZCARD", "delayed")],
            Self::WaitingChildren => vec![on("ZCARD", "waiting-children")],
            Self::Completed => vec![on("ZCARD", "completed")],
            Self::Lock => vec![on("LINDEX", "active").arg("-1")],
            Self::Head => {
                let list = if look.counts.wait > 0 { "wait" } else { "paused" };
                vec![on("LRANGE", list).arg((-HEAD).to_string()).arg("-1")]
            }
            Self::First => vec![on("ZRANGE", "prioritized").args(["0", "0"])],
            Self::Schedules => {
                let range = on("ZRANGE", "repeat").arg("0").arg((MOST_SCHEDULES - 1).to_string());
                vec![range.arg("WITHSCORES")]
            }
            Self::Metrics(end) => {
                let key = queue.keys.of(&format!("metrics:{}", ENDS[end]));
                throughput::of_metrics(&key, SPANS.into_iter().max().unwrap_or_default()).into()
            }
            Self::Kept(end) => {
                let key = queue.keys.of(ENDS[end]);
                SPANS.map(|minutes| throughput::of_kept(&key, minutes, look.at_ms)).into()
            }
        }
    }
}

/// Reads the answers to an ask; returns what they lead to.
fn read(
    queue: &Queue,
    look: &mut Overview,
    ask: Ask,
    answers: Vec<Value>,
) -> Result<Option<Command>, Error> {
    let Some(answer) = answers.first() else { return Ok(None) };
    let added = |id: &str| Command::new("HGET").arg(queue.keys.of(id)).arg("timestamp");
    match ask {
        Ask::Limit => {
            let keys = answer.as_array().ok_or(Error::Protocol("MGET"))?;
            let (used, signs) = keys.split_first().ok_or(Error::Protocol("MGET"))?;
            look.limits.used = used.as_str().and_then(whole).unwrap_or(0);
            let left = answers.get(1).and_then(Value::as_int);
            look.limits.left_ms = left.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
            look.signs(signs);
        }
        Ask::Signs => look.signs(answer.as_array().ok_or(Error::Protocol("MGET"))?),
        Ask::Beats => look.beats(heartbeat::read(answer, MOST_BEATS)?),
        Ask::Paused => look.counts.paused = count(answer)?,
        Ask::Prioritized => look.counts.prioritized = look.now(count(answer)?),
        Ask::Delayed => look.counts.delayed = look.now(count(answer)?),
        Ask::WaitingChildren => look.counts.waiting_children = look.now(count(answer)?),
        Ask::Completed => look.counts.completed = look.now(count(answer)?),
        Ask::Schedules => look.schedules = look.now(upcoming(answer)?),
        Ask::Kept(end) => {
            let mut kept = [0; SPANS.len()];
            for (kept, answer) in kept.iter_mut().zip(&answers) {
                *kept = count(answer)?;
            }
            look.kept[end] = look.now(kept);
        }
        Ask::Metrics(end) => {
            let metric = <[Value; 2]>::try_from(answers).map_err(|_| Error::Protocol("HMGET"))?;
            look.metrics[end] = look.now(metric);
        }
        Ask::Lock => {
            look.lock_read_ms = Some(look.at_ms);
            let lock = answer.as_str().map(|id| queue.keys.of(&format!("{id}:lock")));
            return Ok(lock.map(|key| Command::new("PTTL").arg(key)));
        }
        Ask::Head => {
            look.head = look.now(None);
            let head = strings(answer).ok_or(Error::Protocol("LRANGE"))?;
            return Ok(eldest(&head).last().map(|id| added(id)));
        }
        Ask::First => {
            look.first = look.now(None);
            let first = strings(answer).ok_or(Error::Protocol("ZRANGE"))?;
            return Ok(first.first().map(|id| added(id)));
        }
    }
    Ok(None)
}

impl Overview {
    /// A figure that was read now.
    fn now<T>(&self, value: T) -> Option<Figure<T>> {
        Some(Figure { at_ms: self.at_ms, value })
    }

    /// Takes new reports. Beside the newest of them a sign without a report may be newer.
    fn beats(&mut self, mut read: heartbeat::Heartbeat) {
        let before = self.heartbeat.as_ref().and_then(|before| before.value.last_ms);
        read.last_ms = read.last_ms.max(before).max(self.sign_ms);
        self.heartbeat = self.now(read);
    }

    /// Takes the signs of life without a report.
    fn signs(&mut self, signs: &[Value]) {
        self.signs_read_ms = Some(self.at_ms);
        let newest = signs.iter().filter_map(|sign| sign.as_str()?.parse().ok()).max();
        self.sign_ms = self.sign_ms.max(newest);
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.value.last_ms = heartbeat.value.last_ms.max(newest);
        }
    }

    /// Since when the job that waits longest has waited, of what has been read of that; `None` where what has been
    /// read tells of none, and there is more.
    fn oldest(&self) -> Option<Figure<Option<i64>>> {
        let read: Vec<_> = [self.head, self.first].into_iter().flatten().collect();
        let value = read.iter().filter_map(|figure| figure.value).min();
        let at_ms = read.iter().map(|figure| figure.at_ms).min()?;
        (value.is_some() || read.len() == 2).then_some(Figure { at_ms, value })
    }
}
