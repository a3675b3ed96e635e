//! Leads a job through its life: added, claimed, settled, recovered from an owner that died.

pub(crate) mod claim;
pub(crate) mod enqueue;
pub(crate) mod held;
pub(crate) mod marker;
mod parts;
mod plan;
pub(crate) mod recover;
pub(crate) mod renew;
pub(crate) mod settle;
pub(crate) mod settlement;
