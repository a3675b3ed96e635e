//! Says how a queue is used: what BullMQ calls the options of a queue and of a worker.

use std::time::Duration;

use crate::job::new::JobOptions;

/// Which events are written to the queue's stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Events {
    /// None.
    #[default]
    Off,
    /// Only completed, failed and stalled, so that BullMQ's `waitUntilFinished` works.
    Final,
    /// All that BullMQ writes.
    All,
}

/// BullMQ's limiter of a worker: at most `max` jobs start within `duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limiter {
    /// Jobs; `None` sets no limit.
    pub max: Option<u64>,
    /// From the first of them on.
    pub duration: Duration,
}

/// How a queue is used. Every process on a queue may choose its own, but for the two names.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// What all keys of all queues begin with; BullMQ's own default is `bull`.
    pub prefix: String,
    /// The queue's name.
    pub name: String,
    /// Which events are written.
    pub events: Events,
    /// For how many minutes BullMQ's metrics are kept; 0 writes none.
    pub metrics_minutes: u32,
    /// How many jobs may start; a limit of the queue itself goes before.
    pub limiter: Limiter,
    /// How long a claim stays ours without renewal.
    pub lock: Duration,
    /// Whether a claim frees its jobs' deduplication ids that have no time to live: a duplicate that
    /// comes while its job is active is then added by every producer, also by those of BullMQ before
    /// 5.72, which drop it otherwise. One command a deduplicated job.
    pub open_deduplication: bool,
    /// What a job has whose producer says nothing else (BullMQ's `defaultJobOptions`). The queue itself
    /// does not apply them: producers start from them.
    pub default_job_options: JobOptions,
}

impl QueueOptions {
    /// Returns the options of the queue `name` under BullMQ's own prefix: no events, no metrics, no
    /// limit, and locks of 30 seconds as BullMQ's.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            prefix: "bull".to_owned(),
            name: name.into(),
            events: Events::Off,
            metrics_minutes: 0,
            limiter: Limiter { max: None, duration: Duration::from_secs(1) },
            lock: Duration::from_secs(30),
            open_deduplication: false,
            default_job_options: JobOptions::default(),
        }
    }
}
