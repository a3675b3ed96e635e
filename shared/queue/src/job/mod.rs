//! Describes a job: what a producer says of it, how that is stored, and what its options ask for at its end.

pub(crate) mod names;
pub(crate) mod new;
pub(crate) mod policy;
pub(crate) mod stored;
