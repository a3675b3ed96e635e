//! Removes finished jobs.

use super::Fault;
use crate::chaos::world::Setup;

/// The fault `retention`.
pub(super) struct Retention;

impl Fault for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn sentence(&self) -> &'static str {
        "Only the newest 30 completed jobs stay, so that the others are proved by their snapshots alone."
    }

    fn prepare(&self, setup: &mut Setup) {
        setup.retains_few = true;
    }
}
