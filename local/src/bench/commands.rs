//! Billed commands a job, beside BullMQ doing the same work.

use serde::Serialize;

use super::bullmq::{self, Calls, Theirs};
use super::ours::{Costs, Ours};
use crate::Failure;
use crate::terminal::{Step, table};

/// How long BullMQ's idle worker is watched: two of its stalled checks.
const IDLE_S: u32 = 60;

/// What was measured.
pub(crate) struct Measured {
    rows: Vec<Row>,
    theirs: Option<Theirs>,
    jobs: u32,
    /// Why BullMQ could not be measured, if it should have been.
    pub(crate) missing: Option<String>,
}

impl Measured {
    /// Returns the kinds of work that took more than they may.
    pub(crate) fn over(&self) -> Vec<&'static str> {
        self.rows.iter().filter(|row| row.ours > row.at_most).map(|row| row.work).collect()
    }

    /// Returns it for programs.
    pub(crate) fn json(&self) -> serde_json::Value {
        let version = self.theirs.as_ref().map(|theirs| &theirs.version);
        serde_json::json!({"jobs": self.jobs, "bullmq": version, "rows": self.rows})
    }

    /// Returns it as a table.
    pub(crate) fn table(&self) -> String {
        shown(&self.rows, self.theirs.as_ref())
    }
}

/// Measures `jobs` jobs of each kind, and BullMQ's if it is asked for and can run. Steps are `told` on
/// stdout.
pub(crate) async fn measure(jobs: u32, bullmq: bool, told: bool) -> Result<Measured, Failure> {
    let missing = if bullmq { bullmq::missing().await } else { None };
    let step = Step::begin("starting Redis and Postgres", told);
    let ours = Ours::start(jobs).await?;
    step.done("Redis and Postgres, with a project for every job")?;

    let step = Step::begin("draining", told);
    let costs = ours.measure().await?;
    step.done("Drained in batches of 100, in whole ticks")?;

    let theirs = if bullmq && missing.is_none() {
        let step = Step::begin(format!("BullMQ works, and idles for {IDLE_S} s"), told);
        let theirs = bullmq::measure(jobs, &ours.retention()?, IDLE_S).await?;
        step.done(format!("BullMQ {} worked, and idled for {IDLE_S} s", theirs.version))?;
        Some(theirs)
    } else {
        None
    };
    Ok(Measured { rows: rows(&costs, theirs.as_ref()), theirs, jobs, missing })
}

/// One kind of work. Figures are commands a job, from enqueue to completed, unless it says otherwise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    work: &'static str,
    /// Inside scripts, and calls of the client beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    bullmq: Option<Beside>,
    ours: f64,
    at_most: f64,
}

/// What is measured here alone.
fn alone(work: &'static str, ours: f64, at_most: f64) -> Row {
    Row { work, bullmq: None, ours, at_most }
}

#[derive(Serialize)]
struct Beside {
    inner: f64,
    client: f64,
}

impl From<Calls> for Beside {
    fn from(calls: Calls) -> Self {
        Self { inner: calls.inner, client: calls.client }
    }
}

/// The budget. Warmed up: as many jobs were done before, so that retention evicts one for each. A tick that finds work costs a few commands besides, which are in these figures.
fn rows(ours: &Costs, theirs: Option<&Theirs>) -> Vec<Row> {
    let row = |work, of: fn(&Theirs) -> Calls, ours, at_most| Row {
        work,
        bullmq: theirs.map(|theirs| of(theirs).into()),
        ours,
        at_most,
    };
    vec![
        row("events off, keep", |t| t.busy.keep, ours.keep, 6.3),
        row("events on, keep", |t| t.busy.keep, ours.keep_with_events, 10.3),
        row("events off, removeOnComplete", |t| t.busy.remove, ours.remove, 5.3),
        row("as the API enqueues, warmed up", |t| t.busy.by_api, ours.by_api, 6.5),
        row("as cron enqueues, warmed up", |t| t.busy.by_cron, ours.by_cron, 6.5),
        row("one lone job, ticks included", |t| t.busy.lone, ours.lone, 28.0),
        row("round trips per 100 jobs drained", round_trips, ours.round_trips, 1.0),
        alone("a batch of 100, one fails for good, and the next claim", ours.failing, 425.0),
        alone("round trips of that", ours.failing_round_trips, 1.0),
        row("idle: BullMQ a minute, ours a tick", |t| t.idle, ours.idle, 1.0),
    ]
}

fn round_trips(theirs: &Theirs) -> Calls {
    Calls { inner: 0.0, client: theirs.busy.drained.client * 100.0 }
}

fn shown(rows: &[Row], theirs: Option<&Theirs>) -> String {
    let title = theirs.map(|theirs| format!("BullMQ {}: in scripts", theirs.version));
    let titles: Vec<&str> = match &title {
        Some(title) => vec!["", title, "client calls", "ours", "at most"],
        None => vec!["", "ours", "at most"],
    };
    let right: Vec<usize> = (1..titles.len()).collect();
    let mut table = table(&titles, &right);
    for row in rows {
        let mut cells = vec![row.work.to_owned()];
        if let Some(bullmq) = &row.bullmq {
            cells.extend([figure(bullmq.inner), figure(bullmq.client)]);
        }
        cells.extend([figure(row.ours), figure(row.at_most)]);
        table.add_row(cells);
    }
    table.to_string()
}

/// Two digits where they say something.
fn figure(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
