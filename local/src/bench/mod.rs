//! Measurements, each beside what it is held against; one file or folder a measurement. `deo bench` tells
//! them.

mod bullmq;
pub(crate) mod cold_start;
pub(crate) mod commands;
pub(crate) mod commandstats;
pub(crate) mod jobs;
pub(crate) mod latency;
mod ours;
pub(crate) mod rest;
pub(crate) mod scripts;
pub(crate) mod world;
