//! What is measured: our functions, and the two that they are measured against.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::Options;
use super::figures::{Figures, Sample};
use crate::Failure;
use crate::bench::world::World;
use crate::runtime_api::{self, Function};

/// The functions that are ours.
pub(super) const OURS: [&str; 3] = ["api", "drain", "cron"];

/// The events that they get: a request for the health of everything, and a schedule's tick.
const HEALTH: &str = include_str!("../../../events/health.json");
const SCHEDULE: &str = include_str!("../../../events/schedule.json");

/// A function that can be started.
pub(super) struct Subject {
    pub(super) name: &'static str,
    program: OsString,
    arguments: Vec<PathBuf>,
    settings: Vec<(String, String)>,
    pub(super) event: String,
    zip_bytes: u64,
}

impl Subject {
    /// Starts it, with these settings over its own.
    pub(super) async fn start(
        &self,
        settings: &[(String, String)],
    ) -> Result<Function, runtime_api::Error> {
        let settings = [&self.settings, settings].concat();
        Function::start(self.name, &self.program, &self.arguments, &settings).await
    }

    pub(super) fn figures(&self, samples: &[Sample]) -> Result<Figures, String> {
        let figures = Figures::of(self.name, self.zip_bytes, samples);
        figures.ok_or_else(|| format!("{} was never started", self.name))
    }
}

/// Hello-world first, then ours, then Node.
pub(super) fn subjects(options: &Options, world: &World) -> Result<Vec<Subject>, Failure> {
    let rust = |name: &'static str| {
        let folder = options.bootstraps.join(name);
        let bootstrap = folder.join("bootstrap");
        let zip_bytes = size(&folder.join("bootstrap.zip"))?;
        size(&bootstrap)?;
        let event = if name == "api" { HEALTH } else { SCHEDULE };
        Ok::<_, Failure>(Subject {
            name,
            program: bootstrap.into(),
            arguments: Vec::new(),
            settings: world.settings(name),
            event: event.to_owned(),
            zip_bytes,
        })
    };
    let mut subjects = vec![rust("hello")?];
    for name in OURS {
        subjects.push(rust(name)?);
    }
    subjects.push(Subject {
        name: "node",
        program: "node".into(),
        arguments: vec![options.node.join("bootstrap.mjs")],
        settings: world.node_settings("node"),
        event: SCHEDULE.to_owned(),
        zip_bytes: size(&options.node.join("function.zip"))?,
    });
    Ok(subjects)
}

/// A file's bytes.
fn size(file: &Path) -> Result<u64, String> {
    let metadata = fs::metadata(file)
        .map_err(|error| format!("{}: {error}; local/cold-start/run builds it", file.display()))?;
    Ok(metadata.len())
}
