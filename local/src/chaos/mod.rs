//! Runs the whole system while everything goes wrong, and proves that nothing was lost or done twice.
//!
//! A run has a Redis and a database of its own ([`world`]), real drains as Lambda runs them ([`fleet`]), producers
//! ([`producers`]) and BullMQ's own workers ([`peers`]). [`faults`] strike at the times that the seed decides
//! ([`plan`]). Then all comes to rest ([`quiet`]), and [`crate::verify`] looks at what is left. [`run`] is one
//! run, [`shrink`] cuts a set of faults that fails to its smallest, [`table`] is how runs are shown.

mod caller;
mod clocks;
mod faults;
mod fleet;
mod journal;
mod peers;
mod plan;
mod producers;
mod proxy;
mod quiet;
mod receiver;
mod run;
mod shrink;
pub mod table;
mod world;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Mutex;

pub use faults::Fault;
pub use journal::Tally;
pub use run::{Ran, Size};

use crate::Failure;
use crate::servers::PostgresServer;

/// What a text names that is no fault.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no fault; `deo chaos --list` lists them")]
pub struct NoFault(String);

/// Returns the faults that `all` stands for.
pub fn all() -> Vec<&'static dyn Fault> {
    faults::ALL.to_vec()
}

/// Returns the fault of this name.
///
/// # Errors
/// When there is none.
pub fn named(name: &str) -> Result<&'static dyn Fault, NoFault> {
    faults::named(name).ok_or_else(|| NoFault(name.to_owned()))
}

/// Returns why BullMQ's own code does not look at what a run leaves; `None` where it does.
pub fn is_not_judged() -> Option<String> {
    peers::cannot_judge()
}

/// Where runs are made: a Postgres that they share, one after the other.
#[derive(Debug)]
pub struct Machine {
    postgres: Arc<Mutex<PostgresServer>>,
}

impl Machine {
    /// Starts the Postgres.
    ///
    /// # Errors
    /// When there is none, or no program of the drain.
    pub async fn start() -> Result<Self, Failure> {
        fleet::program()?;
        Ok(Self { postgres: Arc::new(Mutex::new(PostgresServer::start().await?)) })
    }

    /// Makes a run with these faults.
    ///
    /// # Errors
    /// When it could not be made. That an invariant is broken is no error: see [`Ran::verdict`].
    pub async fn run(&self, size: Size, faults: &[&'static dyn Fault]) -> Result<Ran, Failure> {
        run::run(size, faults, &self.postgres).await
    }

    /// Of faults with which a run fails, returns the fewest with which one still does; `told` hears of each run.
    ///
    /// # Errors
    /// When a run could not be made.
    pub async fn shrink(
        &self,
        size: Size,
        faults: &[&'static dyn Fault],
        mut told: impl FnMut(&Ran),
    ) -> Result<Vec<&'static dyn Fault>, Failure> {
        let fails = async |faults: &[&'static dyn Fault]| {
            let ran = self.run(size, faults).await?;
            told(&ran);
            Ok::<_, Failure>(!ran.verdict.holds)
        };
        shrink::shrink(faults, fails).await
    }
}

/// Writes what a run has noted to `folder`, in the form that `deo verify` reads: `accepted.jsonl` and
/// `evidence.jsonl`.
///
/// # Errors
/// When it cannot be written.
pub fn keep(ran: &Ran, folder: &Path) -> Result<(), Failure> {
    let lines = |items: &mut dyn Iterator<Item = serde_json::Result<String>>| {
        items.map(|line| line.map(|line| line + "\n")).collect::<serde_json::Result<String>>()
    };
    std::fs::create_dir_all(folder)?;
    let accepted = lines(&mut ran.notes.accepted.iter().map(serde_json::to_string))?;
    std::fs::write(folder.join("accepted.jsonl"), accepted)?;
    let bill = ran.notes.bill();
    let evidence = ran.notes.evidence.iter().chain([&bill]);
    std::fs::write(
        folder.join("evidence.jsonl"),
        lines(&mut evidence.map(serde_json::to_string))?,
    )?;
    std::fs::write(folder.join("run.json"), serde_json::to_string_pretty(ran)?)?;
    Ok(())
}
