//! Chooses what a look asks for, within its price.

use super::{Figure, MOST_COMMANDS, MOST_SCHEDULES, Overview, upcoming};
use crate::answer::strings;
use crate::error::Error;
use crate::heartbeat::{self, MOST_BEATS};
use crate::look::counts::Counts;
use crate::look::hold::lock_ms;
use crate::look::oldest::{HEAD, eldest};
use crate::look::throughput::{self, ENDS};
use crate::operate::limits::{Limits, StoredRate, whole};
use crate::queue::Queue;
use batchmq_redis::{Command, Value};

/// How long the reports of those who work stand, in milliseconds: a tick a minute leaves one.
const BEATS_MS: i64 = 30_000;

/// How long a last report is the newest sign of life, in milliseconds: who finds no work gives one every 10
/// minutes.
const SIGN_MS: i64 = 600_000;

/// How long stands what changes slowly or matters least, in milliseconds.
const SLOW_MS: i64 = 60_000;

/// The minutes that are told of what ended.
const SPANS: [u32; 2] = [1, 60];

/// Of these one command tells which exist, by how often it names each.
const RARE: [(&str, i64); 7] = [
    ("paused", 1),
    ("prioritized", 2),
    ("delayed", 4),
    ("waiting-children", 8),
    ("repeat", 16),
    // Either of the two.
    ("metrics:completed", 32),
    ("metrics:failed", 32),
];

/// The places of [`RARE`] whose jobs are counted where there are any.
const COUNTED: [(usize, &str); 4] = [(0, "LLEN"), (1, "ZCARD"), (2, "ZCARD"), (3, "ZCARD")];

/// What an answer is about.
#[derive(Clone, Copy)]
enum About {
    Count(usize),
    Signs,
    LimitLeft,
    Head,
    First,
    Longest,
    Completed,
    Schedules,
    Metrics(usize),
    Rises(usize),
    Kept(usize),
    Added,
    LockLeft,
}

/// The commands of a round trip, within what is left of the price.
struct Asked {
    left: u64,
    about: Vec<About>,
    commands: Vec<Command>,
}

impl Asked {
    fn within(left: u64) -> Self {
        Self { left, about: Vec::new(), commands: Vec::new() }
    }

    /// Asks for all of `commands`, and keeps `later` more for what their answers lead to, or for none of them.
    fn ask(&mut self, later: u64, commands: impl IntoIterator<Item = (About, Command)>) -> bool {
        let (about, commands): (Vec<_>, Vec<_>) = commands.into_iter().unzip();
        let price = commands.len() as u64 + later;
        let fits = price <= self.left;
        if fits {
            self.left -= price;
            self.about.extend(about);
            self.commands.extend(commands);
        }
        fits
    }

    async fn answered(self, queue: &Queue) -> Result<Vec<(About, Value)>, Error> {
        if self.commands.is_empty() {
            return Ok(Vec::new());
        }
        let commands = self.commands.into_iter().map(Command::replay_safe).collect();
        let answers = queue.redis.pipeline(commands).await?;
        self.about.into_iter().zip(answers).map(|(about, answer)| Ok((about, answer?))).collect()
    }
}

fn count(answer: &Value) -> Result<u64, Error> {
    answer.as_int().and_then(|n| u64::try_from(n).ok()).ok_or(Error::Protocol("LLEN"))
}

/// Makes a look out of the one `before`.
pub(super) async fn look(queue: &Queue, before: Overview) -> Result<Overview, Error> {
    let now = queue.clock.now_ms();
    let mut look = Overview {
        at_ms: now,
        counts: Counts::default(),
        hold: None,
        oldest_waiting_ms: None,
        ..before
    };
    let (rare, spent) = first(queue, &mut look).await?;
    let has = |place: usize| RARE.get(place).is_some_and(|(_, bit)| rare & bit != 0);
    let key = |name: &str| queue.keys.of(name);
    let mut asked = Asked::within(MOST_COMMANDS.saturating_sub(spent));

    for (place, command) in COUNTED {
        if has(place) {
            asked.ask(0, [(About::Count(place), Command::new(command).arg(key(RARE[place].0)))]);
        }
    }
    let is_due = |read: Option<i64>| read.is_none_or(|at| now - at >= SLOW_MS);
    if is_due(look.completed.map(|read| read.at_ms)) {
        asked.ask(0, [(About::Completed, Command::new("ZCARD").arg(key("completed")))]);
    }
    let [idle, former] = queue.sign_keys();
    let signs = Command::new("MGET").args([key("limiter"), idle, former]);
    let is_limited = queue.with_own_rate(look.limits).rate.is_some();
    if is_limited {
        let left = Command::new("PTTL").arg(key("limiter"));
        asked.ask(0, [(About::Signs, signs.clone()), (About::LimitLeft, left)]);
    }
    let list = if look.counts.wait > 0 { Some("wait") } else { has(0).then_some("paused") };
    // While jobs may start, nobody waits for a lock.
    let is_full = look.limits.concurrency.is_some_and(|most| look.limits.active >= most);
    if look.limits.active > 0 && (is_full || (list.is_none() && !has(1))) {
        let longest = Command::new("LINDEX").arg(key("active")).arg("-1");
        asked.ask(1, [(About::Longest, longest)]);
    }
    if let Some(list) = list {
        let head = Command::new("LRANGE").arg(key(list)).arg((-HEAD).to_string()).arg("-1");
        asked.ask(1, [(About::Head, head)]);
    }
    if has(1) {
        let first = Command::new("ZRANGE").arg(key("prioritized")).arg("0").arg("0");
        asked.ask(1, [(About::First, first)]);
    }
    let schedules = look.schedules.as_ref().map(|read| read.at_ms);
    if !has(4) {
        look.schedules = Some(Figure { at_ms: now, value: Vec::new() });
    } else if is_due(schedules) {
        let range = Command::new("ZRANGE").arg(key("repeat")).arg("0");
        let range = range.arg((MOST_SCHEDULES - 1).to_string()).arg("WITHSCORES");
        asked.ask(0, [(About::Schedules, range)]);
    }
    if has(5) {
        for (place, end) in ENDS.into_iter().enumerate() {
            if is_due(look.metrics[place].as_ref().map(|read| read.at_ms)) {
                let [sums, rises] = throughput::of_metrics(&key(&format!("metrics:{end}")), 60);
                asked.ask(0, [(About::Metrics(place), sums), (About::Rises(place), rises)]);
            }
        }
    } else {
        look.metrics = Default::default();
        if is_due(look.kept.map(|read| read.at_ms)) {
            let kept = SPANS.iter().flat_map(|minutes| ENDS.map(|end| (*minutes, end)));
            // Where none has failed, none has of late.
            let is_told = |end: &str| end != "failed" || look.counts.failed > 0;
            let kept = kept.enumerate().filter(|(_, (_, end))| is_told(end));
            let kept = kept.map(|(place, (minutes, end))| {
                (About::Kept(place), throughput::of_kept(&key(end), minutes, now))
            });
            let kept: Vec<_> = kept.collect();
            asked.ask(0, kept);
        }
    }
    let beat = look.heartbeat.as_ref().and_then(|beats| beats.value.last_ms);
    if !is_limited && beat.is_none_or(|at| now - at > SIGN_MS) {
        asked.ask(0, [(About::Signs, signs)]);
    }
    read(queue, look, asked, has(0) || has(1)).await
}

/// Reads what every look reads; returns which of [`RARE`] exist, and how many commands that took.
async fn first(queue: &Queue, look: &mut Overview) -> Result<(i64, u64), Error> {
    let key = |name: &str| queue.keys.of(name);
    let mut exist = Command::new("EXISTS");
    for (name, times) in RARE {
        for _ in 0..times {
            exist = exist.arg(key(name));
        }
    }
    let settings = ["paused", "concurrency", "max", "duration"];
    let mut commands = vec![
        Command::new("HMGET").arg(key("meta")).args(settings),
        exist,
        Command::new("LLEN").arg(key("wait")),
        Command::new("LLEN").arg(key("active")),
        Command::new("ZCARD").arg(key("failed")),
    ];
    let is_due = look.heartbeat.as_ref().is_none_or(|read| look.at_ms - read.at_ms >= BEATS_MS);
    if is_due {
        commands.push(queue.beats(MOST_BEATS));
    }
    let spent = commands.len() as u64;
    let commands = commands.into_iter().map(Command::replay_safe).collect();
    let answers = queue.redis.pipeline(commands).await?;
    let answers = answers.into_iter().collect::<Result<Vec<Value>, _>>()?;
    let [meta, exist, wait, active, failed, beats @ ..] = answers.as_slice() else {
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
    if let Some(beats) = beats.first() {
        let value = heartbeat::read(beats, MOST_BEATS)?;
        look.heartbeat = Some(Figure { at_ms: look.at_ms, value });
    }
    Ok((exist.as_int().ok_or(Error::Protocol("EXISTS"))?, spent))
}

/// Reads what was chosen, and what that leads to.
async fn read(
    queue: &Queue,
    mut look: Overview,
    asked: Asked,
    waits: bool,
) -> Result<Overview, Error> {
    let now = look.at_ms;
    // Each of them was paid for when it was asked what it leads to.
    let mut then = Asked::within(MOST_COMMANDS);
    let mut kept = [0; 4];
    let mut is_kept = false;
    let mut sums = [None, None];
    let added =
        |id: &str| (About::Added, Command::new("HGET").arg(queue.keys.of(id)).arg("timestamp"));
    for (about, answer) in asked.answered(queue).await? {
        match about {
            About::Count(0) => look.counts.paused = count(&answer)?,
            About::Count(1) => look.counts.prioritized = count(&answer)?,
            About::Count(2) => look.counts.delayed = count(&answer)?,
            About::Count(_) => look.counts.waiting_children = count(&answer)?,
            About::Signs => {
                let signs = answer.as_array().ok_or(Error::Protocol("MGET"))?;
                let numbers: Vec<_> =
                    signs.iter().map(|sign| sign.as_str().and_then(whole)).collect();
                look.limits.used = numbers.first().copied().flatten().unwrap_or(0);
                let seen =
                    numbers.iter().skip(1).flatten().filter_map(|at| i64::try_from(*at).ok()).max();
                if let Some(heartbeat) = &mut look.heartbeat {
                    heartbeat.value.last_ms = heartbeat.value.last_ms.max(seen);
                }
            }
            About::LimitLeft => {
                look.limits.left_ms = count(&answer).ok().filter(|ms| *ms > 0);
            }
            About::Head => {
                let head = strings(&answer).ok_or(Error::Protocol("LRANGE"))?;
                then.ask(0, eldest(&head).last().map(|id| added(id)));
            }
            About::First => {
                let first = strings(&answer).ok_or(Error::Protocol("ZRANGE"))?;
                then.ask(0, first.first().map(|id| added(id)));
            }
            About::Longest => {
                let lock = answer.as_str().map(|id| queue.keys.of(&format!("{id}:lock")));
                then.ask(0, lock.map(|key| (About::LockLeft, Command::new("PTTL").arg(key))));
            }
            About::Completed => {
                look.completed = Some(Figure { at_ms: now, value: count(&answer)? });
            }
            About::Schedules => {
                look.schedules = Some(Figure { at_ms: now, value: upcoming(&answer)? });
            }
            About::Metrics(place) => sums[place] = Some(answer),
            About::Rises(place) => {
                let value = sums[place].take().map(|sums| [sums, answer]);
                look.metrics[place] = value.map(|value| Figure { at_ms: now, value });
            }
            About::Kept(place) => {
                is_kept = true;
                kept[place] = count(&answer)?;
            }
            About::Added | About::LockLeft => {}
        }
    }
    if is_kept {
        let value = throughput::kept(SPANS, &kept);
        look.kept = Some(Figure { at_ms: now, value });
    }
    let mut lock_left_ms = None;
    for (about, answer) in then.answered(queue).await? {
        match about {
            About::LockLeft => {
                lock_left_ms = answer.as_int().and_then(lock_ms);
            }
            _ => {
                // An id without a job has no time.
                let added = answer.as_str().and_then(|added| added.parse().ok());
                look.oldest_waiting_ms =
                    [look.oldest_waiting_ms, added].into_iter().flatten().min();
            }
        }
    }
    let waits = waits || look.counts.wait > 0;
    look.hold = queue.with_own_rate(look.limits).hold(waits, lock_left_ms);
    Ok(look)
}
