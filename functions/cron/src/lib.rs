//! The nightly recompute: walks the projects and enqueues those that are due.

mod report;
mod round;
mod walk;

pub use report::{Report, StoppedBecause};
pub use shared::recompute::StartError;
pub use walk::Cron;
