//! `deo bench latency`: from a request for a recompute to its committed snapshot, beside a BullMQ worker that
//! is always on.

mod commits;
mod figures;
mod ours;
mod rival;
mod secured;
mod world;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use figures::Report;
use figures::{Line, Sample};
use ours::Ours;
use rival::Rival;
use world::World;

use crate::Failure;
use crate::bench::jobs::missing;
use crate::terminal::Step;

/// The longest that a snapshot may take.
const LONGEST: Duration = Duration::from_secs(30);

/// Requests of each that do not count: Redis gets to know the scripts, and the API opens what it keeps.
const WARMING: u32 = 2;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Request {
    /// Requests that count, of each.
    pub(crate) runs: u32,
    /// To both servers, to the drain's URL, and back.
    pub(crate) round_trip: Duration,
    /// Whether both servers are reached over TLS.
    pub(crate) tls: bool,
    /// The folder with BullMQ; `None` leaves it out.
    pub(crate) rivals: Option<PathBuf>,
}

/// Measures; says on the terminal what is under way if it is `told`.
pub(crate) async fn measure(request: &Request, told: bool) -> Result<Report, Failure> {
    let mut left_out = None;
    let mut rivals = request.rivals.as_deref();
    if let Some(folder) = rivals {
        left_out = missing(folder).await;
        rivals = rivals.filter(|_| left_out.is_none());
    }
    let step = Step::begin("starting Redis and Postgres", told);
    let mut world = World::start(request.round_trip, request.tls).await?;
    step.done("Redis and Postgres are there")?;
    let mut lines = Vec::new();
    let mut ours = Ours::start(&world).await?;
    for (is_cold, title) in [(true, "ours, cold drain"), (false, "ours, warm drain")] {
        let step = Step::begin(title, told);
        let mut samples = Vec::new();
        for run in 0..WARMING + request.runs {
            let sample = ours.take(&mut world, is_cold).await?;
            samples.extend((run >= WARMING).then_some(sample));
        }
        step.done(title)?;
        lines.push(Line::of(title, samples));
    }
    if let Some(folder) = rivals {
        let title = "BullMQ, worker always on";
        let step = Step::begin(title, told);
        let mut rival = Rival::start(&world, folder).await?;
        let mut samples: Vec<Sample> = Vec::new();
        for run in 0..WARMING + request.runs {
            let sample = rival.take(&mut world).await?;
            samples.extend((run >= WARMING).then_some(sample));
        }
        step.done(title)?;
        lines.push(Line::of(title, samples));
    }
    Ok(Report::new(request, lines, left_out))
}
