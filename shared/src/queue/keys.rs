//! The queue's keys, in the order that the scripts expect them.

/// BullMQ's key names of one queue, and ours.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// `<prefix>:<queue>:`, in front of every key of BullMQ's.
    pub(crate) base: String,
    /// `<prefix>::deo:<queue>:`, in front of every key of ours: the empty segment keeps them apart
    /// from any job.
    pub(crate) own: String,
}

/// BullMQ's keys that every script takes, in this order; a receipt follows as the fifteenth.
const FIXED: [&str; 14] = [
    "wait",
    "paused",
    "active",
    "prioritized",
    "pc",
    "delayed",
    "meta",
    "marker",
    "events",
    "id",
    "limiter",
    "stalled",
    "completed",
    "failed",
];

impl Keys {
    pub(crate) fn new(prefix: &str, queue: &str) -> Self {
        Self { base: format!("{prefix}:{queue}:"), own: format!("{prefix}::deo:{queue}:") }
    }

    /// One of BullMQ's keys, or a job's hash.
    pub(crate) fn of(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    /// One of ours.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}{name}", self.own)
    }

    /// A job's hash, and the keys that stand beside it.
    pub(crate) fn of_job(&self, id: &str) -> Vec<String> {
        let suffixes =
            ["", ":lock", ":logs", ":dependencies", ":processed", ":failed", ":unsuccessful"];
        suffixes.iter().map(|suffix| self.of(&format!("{id}{suffix}"))).collect()
    }

    /// The schedulers' times, and a scheduler's record.
    pub(crate) fn of_scheduler(&self, id: &str) -> Vec<String> {
        vec![self.of("repeat"), self.of(&format!("repeat:{id}"))]
    }

    /// The fifteen keys that every script begins with.
    pub(crate) fn fixed(&self, receipt: &str) -> Vec<String> {
        let mut keys: Vec<String> = FIXED.iter().map(|name| self.of(name)).collect();
        keys.push(self.own(&format!("receipt:{receipt}")));
        keys
    }
}
