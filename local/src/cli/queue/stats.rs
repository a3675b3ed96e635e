//! `deo queue stats`.

use serde::Serialize;
use shared::checks::{Finding, conditions};
use shared::clock::Clock;
use shared::engine::{Alive, PastTick, alive};
use shared::queue::{Counted, Counts, Flow, Hold, PriorityCount, Queue, Throughput};

use super::{At, Outcome, notes, report, shown, span};
use crate::terminal;

/// Priorities that are shown.
const PRIORITIES: u64 = 20;

/// Minutes of throughput.
const MINUTES: u32 = 5;

/// Show how many jobs are in each state and of each priority, and how it goes
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look for follow-ups that nothing starts, too, over at most 20,000 keys: up to 21 commands more.
    #[arg(long)]
    deep: bool,

    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Depth {
    /// At what changes while one watches.
    Brief,
    /// At everything that has a place of its own.
    Whole,
    /// And for what only a walk over the keys finds.
    Deep,
}

/// What there is to know about the queue as a whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub(super) paused: bool,
    /// Whether jobs may start.
    queue: Flow,
    /// Why nothing can be claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Hold>,
    pub(super) counts: Counts,
    /// The most urgent first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) priorities: Option<Vec<PriorityCount>>,
    /// Milliseconds since the epoch.
    pub(super) oldest_waiting: Option<i64>,
    /// Milliseconds since the epoch.
    pub(super) next_due: Option<i64>,
    pub(super) throughput: Throughput,
    /// When a drain last gave a sign of life, and its newest ticks that had work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) drain: Option<Alive>,
    /// Billed commands of this month, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    spent_this_month: Option<u64>,
    /// What is wrong with Redis itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Finding>,
    /// What looks wrong with the queue.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// What this look cost.
    pub(super) billed_commands: u64,
    pub(super) round_trips: u64,
}

impl Stats {
    /// Looks. 17 commands, and at most 5 more for each state in which jobs wait, 1 where something is
    /// delayed, 2 where all that there is is active, 4 where a worker writes metrics; unless it is brief, 1 for what
    /// the month has spent, 1 or 2 for the state of Redis, 2 for each priority and those of [`notes`].
    pub(super) async fn of(queue: &Queue, depth: Depth) -> Result<Self, shared::queue::Error> {
        let more = depth != Depth::Brief;
        let queue = queue.over(queue.redis().metered());
        let counts = queue.counts().await?;
        let alive = alive(&queue).await?;
        let ticks = alive.ended(MINUTES, Clock::System.now_ms());
        let throughput = queue.throughput(MINUTES).await?.or(ticks);
        let limits = queue.limits().await?;
        let waits = counts.wait + counts.paused + counts.prioritized > 0;
        let held = queue.hold(&limits, waits).await?;
        let oldest_waiting = queue.oldest_waiting_ms(counts.into()).await?;
        let next_due = if counts.delayed > 0 { queue.next_due_ms().await? } else { None };
        let drain = more.then_some(alive);
        let spent_this_month = if more { queue.spent().await? } else { None };
        let conditions = match more {
            true => conditions(queue.redis(), &queue.options().prefix).await,
            false => Vec::new(),
        };
        let priorities = match (more, counts.prioritized) {
            (false, _) => None,
            (true, 0) => Some(Vec::new()),
            (true, _) => Some(queue.priorities(PRIORITIES).await?),
        };
        let notes = match depth {
            Depth::Brief => Vec::new(),
            _ => notes::of(&queue, &counts, oldest_waiting, depth == Depth::Deep).await?,
        };
        let usage = queue.redis().usage();
        Ok(Self {
            paused: limits.paused,
            queue: limits.flow(),
            held,
            counts,
            priorities,
            oldest_waiting,
            next_due,
            throughput,
            drain,
            spent_this_month,
            conditions,
            notes,
            billed_commands: usage.billed,
            round_trips: usage.round_trips,
        })
    }

    /// Name and number of each state.
    pub(super) fn states(&self) -> [(&'static str, u64); 8] {
        let c = &self.counts;
        [
            ("wait", c.wait),
            ("paused", c.paused),
            ("prioritized", c.prioritized),
            ("delayed", c.delayed),
            ("active", c.active),
            ("waiting-children", c.waiting_children),
            ("completed", c.completed),
            ("failed", c.failed),
        ]
    }

    /// Name and text of everything else.
    pub(super) fn facts(&self, now: i64) -> Vec<(String, String)> {
        let none = || "none".to_owned();
        let Throughput { minutes, completed, failed, counted, .. } = self.throughput;
        let at_least = if counted == Counted::AtLeast { "≥ " } else { "" };
        let ended = match (completed, failed, counted) {
            (0, 0, Counted::AtLeast) => "none known".to_owned(),
            _ => format!("{at_least}{completed} completed, {at_least}{failed} failed"),
        };
        let mut facts = vec![
            (
                "queue".to_owned(),
                self.held.map_or_else(|| self.queue.name().to_owned(), |hold| hold.to_string()),
            ),
            (
                "oldest waiting job".to_owned(),
                self.oldest_waiting.map_or_else(none, |at| span::shown(now.saturating_sub(at))),
            ),
            (
                "next delayed job due in".to_owned(),
                self.next_due.map_or_else(none, |at| span::shown(at - now)),
            ),
            (format!("ended in the last {minutes} min"), ended),
        ];
        // Whoever looks at a dashboard of BullMQ 6 sees none of them.
        if self.counts.paused > 0 {
            let jobs = self.counts.paused;
            let text = format!("{jobs}, until deo queue resume; BullMQ 6's counts leave them out");
            facts.push(("standing in paused".to_owned(), text));
        }
        if let Some(drain) = &self.drain {
            let ago = |at| span::shown(now.saturating_sub(at)) + " ago";
            let seen =
                drain.last_seen.map_or_else(|| "none yet, or none for a day".to_owned(), ago);
            facts.push(("drain alive".to_owned(), seen));
            if let Some(tick) = drain.ticks.first() {
                facts.push((format!("last tick with work, {}", ago(tick.at)), told(tick)));
            }
        }
        if let Some(spent) = self.spent_this_month {
            facts.push(("commands spent this month".to_owned(), spent.to_string()));
        }
        for finding in &self.conditions {
            let (wrong, remedy) = (&finding.wrong, &finding.remedy);
            facts.push((format!("{}:", finding.about), format!("{wrong}: {remedy}")));
        }
        for note in &self.notes {
            facts.push(("look at".to_owned(), shown::line(note, 300)));
        }
        for PriorityCount { priority, jobs } in self.priorities.iter().flatten() {
            facts.push((format!("waiting at priority {priority}"), jobs.to_string()));
        }
        facts
    }
}

/// `12 completed, 0 failed, 1 retried in 3s`, and why it failed.
fn told(tick: &PastTick) -> String {
    let PastTick { completed, failed, retried, .. } = tick;
    let took = span::shown(i64::try_from(tick.duration_ms).unwrap_or(i64::MAX));
    let mut text = format!("{completed} completed, {failed} failed, {retried} retried in {took}");
    if let Some(error) = &tick.error {
        text += &format!("; {}", shown::line(error, 120));
    }
    text
}

pub(super) async fn run(at: &At, args: Args) -> Outcome {
    let stats = Stats::of(&at.queue()?, if args.deep { Depth::Deep } else { Depth::Whole }).await?;
    let mut states = terminal::table(&["state", "jobs"], &[1]);
    for (state, jobs) in stats.states() {
        states.add_row([state.to_owned(), jobs.to_string()]);
    }
    let mut facts = terminal::table(&["", ""], &[]);
    for (name, text) in stats.facts(Clock::System.now_ms()) {
        facts.add_row([name, text]);
    }
    report(args.json, &stats, format!("{states}\n{facts}"))
}
