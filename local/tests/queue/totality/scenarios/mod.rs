//! The states on which every verb is tried.

mod adding;
mod claiming;
mod families;
mod operating;
mod recovering;
mod scheduling;
mod settling;

use super::harness::Scenario;

pub(crate) fn all() -> Vec<Scenario> {
    [
        adding::all(),
        claiming::all(),
        settling::all(),
        families::all(),
        recovering::all(),
        operating::all(),
        scheduling::all(),
    ]
    .concat()
}
