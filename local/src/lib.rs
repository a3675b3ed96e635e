//! Everything a developer's machine needs, and nothing that ships to AWS.

pub mod gateway;
pub mod servers;
