//! How the functions start, what they weigh, and how much memory they take.

mod bars;
mod figures;
mod load;
mod subject;

use std::path::PathBuf;

use serde::Serialize;

use crate::runtime_api::Function;
use crate::terminal::Step;

use crate::Failure;
use crate::bench::world::World;
pub(crate) use bars::Verdict;
use figures::{Figures, Sample};
pub(crate) use figures::{mb, table};
use load::Load;
pub(crate) use load::Loaded;
use subject::{Subject, subjects};

/// What to measure.
pub(crate) struct Options {
    /// How often each function is started.
    pub(crate) runs: u32,
    /// Jobs that the drain has in its queue while its memory is measured.
    pub(crate) jobs: u32,
    /// The folder with a folder for each function in Rust, and a bootstrap and its zip in each.
    pub(crate) bootstraps: PathBuf,
    /// The folder with the function on Node, installed and zipped.
    pub(crate) node: PathBuf,
    /// Whether steps are told on stdout.
    pub(crate) told: bool,
}

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) runs: u32,
    pub(crate) functions: Vec<Figures>,
    pub(crate) drained: Loaded,
    pub(crate) bars: Vec<Verdict>,
}

/// Measures the functions, in turn.
pub(crate) async fn measure(options: &Options) -> Result<Measured, Failure> {
    let step = Step::begin("starting Redis and Postgres", options.told);
    let world = World::start(20).await?;
    let subjects = subjects(options, &world)?;
    step.done("Redis and Postgres are there, and every function was found")?;

    let step = Step::begin("starting functions", options.told);
    let mut samples: Vec<Vec<Sample>> = subjects.iter().map(|_| Vec::new()).collect();
    // In turn, so that whatever else this machine does meets all of them.
    for _ in 0..options.runs {
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            samples.push(sample(subject, &world).await?);
        }
    }
    let functions: Vec<Figures> = subjects
        .iter()
        .zip(&samples)
        .map(|(subject, samples)| subject.figures(samples))
        .collect::<Result<_, _>>()?;
    step.done(format!("{} starts of each of {} functions", options.runs, functions.len()))?;

    let step = Step::begin("seeding and enqueueing", options.told);
    let load = Load::prepare(&world, options.jobs).await?;
    step.done(format!("{} jobs enqueued", options.jobs))?;
    let step = Step::begin("draining", options.told);
    let drain =
        subjects.iter().find(|subject| subject.name == "drain").ok_or("there is no drain")?;
    let drained = load.drain(drain, &world).await?;
    step.done(format!("{} jobs drained", drained.jobs))?;
    let bars = bars::verdicts(&functions, &drained)?;
    Ok(Measured { runs: options.runs, functions, drained, bars })
}

/// One start, one first invocation and three more.
async fn sample(subject: &Subject, world: &World) -> Result<Sample, Failure> {
    world.forget_connections();
    let mut function = subject.start(&[]).await?;
    let first = function.invoke(&subject.event).await?.took;
    let connected = world.connected().map(|at| at - function.started);
    let mut warm = Vec::with_capacity(3);
    for _ in 0..3 {
        warm.push(function.invoke(&subject.event).await?.took);
    }
    warm.sort_unstable();
    let sample = Sample {
        init: function.init,
        connected,
        first,
        warm: warm[1],
        peak_bytes: function.peak_memory()?,
    };
    Function::stop(function).await;
    Ok(sample)
}
