//! Looks in from outside: at counts, lists, single jobs, throughput.

pub(crate) mod browse;
pub(crate) mod counts;
pub(crate) mod failures;
pub(crate) mod hold;
pub(crate) mod inspect;
pub(crate) mod oldest;
pub(crate) mod overview;
pub(crate) mod owner;
pub(crate) mod peek;
pub(crate) mod state;
pub(crate) mod throughput;
