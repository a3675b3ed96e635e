//! Sets clocks wrong.

use super::Fault;
use crate::chaos::clocks;
use crate::chaos::world::Setup;

/// The fault `clocks`.
pub(super) struct Clocks;

impl Fault for Clocks {
    fn name(&self) -> &'static str {
        "clocks"
    }

    fn sentence(&self) -> &'static str {
        "Drains and producers have clocks that are up to five minutes ahead or behind."
    }

    fn is_missing(&self) -> Option<String> {
        let missing = "there is no libfaketime; install Debian's package of that name";
        clocks::library().is_none().then(|| missing.to_owned())
    }

    fn prepare(&self, setup: &mut Setup) {
        setup.clocks_differ = true;
    }
}
