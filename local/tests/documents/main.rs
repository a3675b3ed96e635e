//! The documentation, the deployment's files and the examples say what the code says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agreement;
mod env_example;
mod reliability;
