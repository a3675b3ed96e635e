//! Names the queue's keys, in the order that the scripts expect them.

use ring::digest;

use batchmq_redis::hex;

/// The segment that marks a key as this library's own, behind the queue's name. It is final.
pub(crate) const TAG: &str = "batchmq";

/// BullMQ's key names of one queue, and ours.
///
/// A key of ours is `<prefix>:<queue>:batchmq:<name>`: exactly two segments behind the queue. So
/// it is no job (BullMQ refuses custom ids of two segments), BullMQ's `removeOrphanedJobs` leaves
/// it alone (it deletes keys of one segment), and a dashboard that finds queues by scanning reads
/// the queue's own name from it. `<name>` therefore holds no `:`, and is none of
/// [`SIDE_KEYS`]. Each of them has a time to live, so that nothing is left of a queue that was
/// obliterated.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// `<prefix>:<queue>:`, in front of every key.
    pub(crate) base: String,
    /// `<prefix>::deo:<queue>:`, which stood in front of our own keys before.
    former: String,
}

/// What BullMQ appends to a job's key for what stands beside the job's hash.
pub(crate) const SIDE_KEYS: [&str; 6] =
    ["lock", "logs", "dependencies", "processed", "failed", "unsuccessful"];

/// BullMQ's keys that every script takes, in this order; a receipt follows as the fifteenth.
pub(crate) const FIXED: [&str; 14] = [
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
        Self { base: format!("{prefix}:{queue}:"), former: format!("{prefix}::deo:{queue}:") }
    }

    /// One of BullMQ's keys, or a job's hash.
    pub(crate) fn of(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    /// One of ours. `name` holds no `:` and is none of [`SIDE_KEYS`].
    pub(crate) fn own(&self, name: &str) -> String {
        debug_assert!(!name.contains(':') && !SIDE_KEYS.contains(&name), "{name}");
        format!("{}{TAG}:{name}", self.base)
    }

    /// The name that a key of ours had before it was [`Keys::own`]'s. Read once, to take over what
    /// stands there.
    pub(crate) fn former(&self, name: &str) -> String {
        format!("{}{name}", self.former)
    }

    /// A job's hash, and the keys that stand beside it.
    pub(crate) fn of_job(&self, id: &str) -> Vec<String> {
        let beside = SIDE_KEYS.iter().map(|name| self.of(&format!("{id}:{name}")));
        std::iter::once(self.of(id)).chain(beside).collect()
    }

    /// The schedulers' times, and a scheduler's record.
    pub(crate) fn of_scheduler(&self, id: &str) -> Vec<String> {
        vec![self.of("repeat"), self.of(&format!("repeat:{id}"))]
    }

    /// The fifteen keys that every script begins with.
    pub(crate) fn fixed(&self, receipt: &str) -> Vec<String> {
        let mut keys: Vec<String> = FIXED.iter().map(|name| self.of(name)).collect();
        keys.push(self.receipt(receipt));
        keys
    }

    /// Where a call leaves what it answered.
    pub(crate) fn receipt(&self, name: &str) -> String {
        self.own(&format!("receipt-{name}"))
    }
}

/// What names the receipt of the `index`th call under a caller's idempotency key. The key may hold
/// anything, so its SHA-256 stands for it.
pub(crate) fn receipt_of_key(index: usize, key: &str) -> String {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    format!("once-{index}-{}", hex(hash.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_ours_has_two_segments_behind_the_queue_whatever_a_caller_names() {
        let keys = Keys::new("bull", "q");
        for name in [
            "heartbeat".to_owned(),
            format!("receipt-{}", receipt_of_key(3, "a:b:lock")),
            format!("receipt-{}", receipt_of_key(0, "")),
            format!("receipt-{}", receipt_of_key(0, "\u{0}é:processed")),
        ] {
            let key = keys.own(&name);
            let segments: Vec<&str> = key.split(':').collect();
            assert_eq!(segments[..3], ["bull", "q", "batchmq"], "{key}");
            assert_eq!((segments.len(), segments[3]), (4, name.as_str()), "{key}");
            assert!(!SIDE_KEYS.contains(&segments[3]), "{key}");
        }
        assert_eq!(keys.fixed(&receipt_of_key(0, "a:b"))[14].split(':').count(), 4);
        assert_ne!(receipt_of_key(1, "1"), receipt_of_key(11, ""));
        assert_ne!(receipt_of_key(0, "a"), receipt_of_key(0, "A"));
    }
}
