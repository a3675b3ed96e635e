//! What a call costs over each way to Redis, beside Upstash's own SDK.

mod figures;
mod ours;
mod sdk;
mod shape;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;
use crate::terminal::Step;

pub(crate) use figures::{Figures, Line, Verdict, table, verdicts};
use shape::Shape;
use world::World;

/// What to measure.
pub(crate) struct Options {
    /// Rounds that count.
    pub(crate) rounds: u32,
    /// How long each way sends each kind of call in a round.
    pub(crate) time: Duration,
    /// Requests under way at once.
    pub(crate) at_once: u32,
    /// The folder with the SDK, installed.
    pub(crate) sdk: PathBuf,
    /// Whether steps are told on stdout.
    pub(crate) told: bool,
}

/// A way to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Tcp,
    Rest,
    Sdk,
    /// The SDK as it is without options: calls made at once share a request.
    SdkAuto,
}

/// How much one way sends of one shape in one round.
#[derive(Clone, Copy, Debug)]
struct Load {
    shape: Shape,
    time: Duration,
    at_once: u32,
}

/// Measures each way and shape, in turn.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Line>, Failure> {
    let step = Step::begin("starting Redis, the gateway and Node", options.told);
    let mut world = World::start(&options.sdk).await?;
    step.done("Redis, the gateway and Node are there")?;
    let mut lines: Vec<Line> = Shape::ALL.into_iter().flat_map(ways).collect();
    for round in 0..=options.rounds {
        let first = round as usize % lines.len();
        let step = Step::begin(format!("round {round} of {}", options.rounds), options.told);
        for turn in 0..lines.len() {
            // Another one begins each round.
            let index = (first + turn) % lines.len();
            let line = &mut lines[index];
            let load = Load { shape: line.shape, time: options.time, at_once: options.at_once };
            let sample = world.run(line.way, load).await?;
            if round > 0 {
                line.samples.push(sample);
            }
        }
        step.done(if round == 0 { "warm".to_owned() } else { format!("round {round}") })?;
    }
    world.stop().await;
    Ok(lines)
}

/// The ways that a shape goes, side by side.
fn ways(shape: Shape) -> impl Iterator<Item = Line> {
    let auto = (shape == Shape::Single).then_some(Way::SdkAuto);
    let ways = [Way::Tcp, Way::Rest, Way::Sdk].into_iter().chain(auto);
    ways.map(move |way| Line { shape, way, samples: Vec::new() })
}
