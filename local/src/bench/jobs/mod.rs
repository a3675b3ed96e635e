//! `deo bench jobs`: jobs a second and what they cost, beside BullMQ doing the same and the servers alone.

mod bars;
mod child;
mod figures;
mod page;
mod plan;
mod stage;
mod subject;

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;
use crate::terminal::Step;

pub(crate) use bars::table as bars_table;
pub(crate) use child::run as child;
use figures::Line;
pub(crate) use figures::Report;
pub(crate) use page::of as page;
pub(crate) use plan::Workload;
use stage::Stage;
pub(crate) use stage::{bullmq_options, port_of};
pub(crate) use subject::{Errand, Process, Subject, missing};

/// What to measure.
#[derive(Debug)]
pub(crate) struct Request {
    /// Projects of the workload `shops`.
    pub(crate) projects: u32,
    /// Turns of each subject.
    pub(crate) runs: u32,
    /// Batches at once (`DRAIN_LANES`), of ours and of the floors.
    pub(crate) lanes: usize,
    /// Which work; all of it where there is none.
    pub(crate) workload: Vec<Workload>,
    /// Whose; everybody's where there is none.
    pub(crate) only: Vec<Subject>,
    /// Milliseconds to both servers and back.
    pub(crate) round_trip: Vec<u64>,
    /// Jobs that wait at most in the workload `backlog`.
    pub(crate) backlog: u32,
    /// The folder with the rivals.
    pub(crate) rivals: PathBuf,
}

/// Measures; says on the terminal what is under way if it is `told`.
pub(crate) async fn measure(args: &Request, told: bool) -> Result<Report, Failure> {
    let mut left_out = Vec::new();
    let wanted = |it: &Subject| args.only.is_empty() || args.only.contains(it);
    let mut subjects: Vec<Subject> = Subject::all().filter(wanted).collect();
    if subjects.iter().any(|subject| subject.is_rival()) {
        let step = Step::begin("looking for the rivals", told);
        if let Some(reason) = subject::missing(&args.rivals).await {
            subjects.retain(|subject| !subject.is_rival());
            left_out.push(reason);
        }
        step.done("looked for the rivals")?;
    }
    let step = Step::begin("starting Redis, Postgres and the gateway", told);
    let mut stage = Stage::start(args.projects, args.lanes, args.rivals.clone()).await?;
    step.done("Redis, Postgres and the gateway are there")?;
    let mut lines = Vec::new();
    for workload in plan::chosen(&args.workload) {
        for turns in plan::turns(workload, args.projects, args.backlog, &args.round_trip, &subjects)
        {
            let step = Step::begin(turns.title.clone(), told);
            let mut group: Vec<Line> =
                turns.each.iter().map(|turn| Line::of(&turns, turn)).collect();
            for run in 0..args.runs {
                for place in 0..group.len() {
                    // Another one begins each time.
                    let place = (place + run as usize) % group.len();
                    let sample = stage.take(&turns.each[place]).await?;
                    group[place].samples.push(sample);
                }
            }
            step.done(&turns.title)?;
            lines.extend(group);
        }
    }
    Ok(Report::new(lines, left_out))
}

/// The longest that one subject may take for one turn.
const LONGEST: Duration = Duration::from_secs(900);
