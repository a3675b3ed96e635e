//! Reads the queue as it stands in Redis, past the code that is tested: every place, every job's hash, every
//! lock, and every key that has no business there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use shared::queue::Error;
use shared::redis::{Command, Redis, Value};

use crate::queue::{Scan, escaped};

/// A page of a list or a sorted set, and the jobs of a round trip.
const PAGE: usize = 500;

/// Where a job can stand. In lists its position tells nothing that is looked at.
const LISTS: [&str; 3] = ["wait", "paused", "active"];
const SETS: [&str; 5] = ["prioritized", "delayed", "waiting-children", "completed", "failed"];

/// The queue's own keys, and what BullMQ keeps in them.
const KINDS: [(&str, &str); 17] = [
    ("wait", "list"),
    ("paused", "list"),
    ("active", "list"),
    ("prioritized", "zset"),
    ("delayed", "zset"),
    ("waiting-children", "zset"),
    ("completed", "zset"),
    ("failed", "zset"),
    ("pc", "string"),
    ("id", "string"),
    ("limiter", "string"),
    ("stalled-check", "string"),
    ("stalled", "set"),
    ("meta", "hash"),
    ("marker", "zset"),
    ("events", "stream"),
    ("repeat", "zset"),
];

/// What stands beside a job's hash.
const BESIDE: [&str; 6] = ["lock", "logs", "dependencies", "processed", "failed", "unsuccessful"];

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) state: &'static str,
    /// In sorted sets.
    pub(super) score: f64,
}

/// A job's hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Hash(BTreeMap<String, Vec<u8>>);

/// Its fields' names, and the values of those that tell what was done to it last.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.keys().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
            if let Some(number) = self.number(name) {
                write!(f, " {number}")?;
            }
        }
        Ok(())
    }
}

impl Hash {
    pub(super) fn bytes(&self, field: &str) -> Option<&[u8]> {
        self.0.get(field).map(Vec::as_slice)
    }

    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.bytes(field).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    pub(super) fn number(&self, field: &str) -> Option<i64> {
        self.text(field)?.parse().ok()
    }

    pub(super) fn json(&self, field: &str) -> Option<serde_json::Value> {
        serde_json::from_slice(self.bytes(field)?).ok()
    }
}

/// What stands at a job's key.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    Hash(Hash),
    /// Nothing.
    Missing,
    /// Something that is no hash.
    Other,
}

/// The queue as it stands.
#[derive(Debug, Default)]
pub(super) struct QueueState {
    /// Every id that stands somewhere, and where; twice where it stands twice.
    pub(super) places: HashMap<String, Vec<Place>>,
    /// What stands at the key of each of them.
    pub(super) jobs: HashMap<String, Stored>,
    /// Jobs that stand nowhere, and have not ended.
    pub(super) unplaced: BTreeMap<String, Hash>,
    /// Those that stand nowhere and have ended.
    pub(super) leftovers: usize,
    /// The ids that have a lock.
    pub(super) locks: Vec<String>,
    /// The queue's own keys that are of a kind that they must not be: key, wanted, found.
    pub(super) wrong: Vec<(String, &'static str, String)>,
}

impl QueueState {
    /// Reads all of it. The queue should be quiet: it is read page by page.
    pub(super) async fn read(redis: &Redis, prefix: &str, queue: &str) -> Result<Self, Error> {
        let reader = Reader { redis, base: format!("{prefix}:{queue}:") };
        let mut state = Self::default();
        for (name, wanted) in KINDS {
            let kind = reader.kind(name).await?;
            if kind != "none" && kind != wanted {
                state.wrong.push((name.to_owned(), wanted, kind));
                continue;
            }
            let Some(found) = LISTS.into_iter().chain(SETS).find(|it| *it == name) else {
                continue;
            };
            for (id, score) in reader.members(found, wanted == "list").await? {
                state.places.entry(id).or_default().push(Place { state: found, score });
            }
        }
        let ids: Vec<String> = state.places.keys().cloned().collect();
        state.jobs = reader.jobs(&ids).await?;
        reader.rest(&mut state).await?;
        Ok(state)
    }

    /// Returns the one state in which a job stands; `None` where it stands nowhere or in several.
    pub(super) fn state(&self, id: &str) -> Option<Place> {
        match self.places.get(id)?.as_slice() {
            [place] => Some(*place),
            _ => None,
        }
    }

    /// Returns the hash of a job that stands somewhere.
    pub(super) fn hash(&self, id: &str) -> Option<&Hash> {
        match self.jobs.get(id)? {
            Stored::Hash(hash) => Some(hash),
            Stored::Missing | Stored::Other => None,
        }
    }

    /// Returns the jobs that stand in one state and have a hash.
    pub(super) fn placed(&self) -> impl Iterator<Item = (&str, Place, &Hash)> {
        self.places.keys().filter_map(|id| Some((id.as_str(), self.state(id)?, self.hash(id)?)))
    }
}

struct Reader<'a> {
    redis: &'a Redis,
    base: String,
}

impl Reader<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    async fn kind(&self, name: &str) -> Result<String, Error> {
        let kind = self.redis.call(Command::new("TYPE").arg(self.key(name)).replay_safe()).await?;
        Ok(kind.as_str().unwrap_or_default().to_owned())
    }

    async fn members(&self, name: &str, is_list: bool) -> Result<Vec<(String, f64)>, Error> {
        let mut all = Vec::new();
        loop {
            let (from, to) = (all.len(), all.len() + PAGE - 1);
            let command = Command::new(if is_list { "LRANGE" } else { "ZRANGE" })
                .arg(self.key(name))
                .args([from.to_string(), to.to_string()])
                .args((!is_list).then_some("WITHSCORES"))
                .replay_safe();
            let page = self.redis.call(command).await?;
            let page = page.as_array().unwrap_or_default();
            if is_list {
                all.extend(page.iter().map(|id| (lossy(id), 0.0)));
            } else {
                all.extend(page.chunks(2).filter_map(|pair| {
                    let [id, score] = pair else { return None };
                    Some((lossy(id), score.as_str()?.parse().ok()?))
                }));
            }
            if page.is_empty() {
                return Ok(all);
            }
        }
    }

    /// What stands at the keys of these jobs.
    async fn jobs(&self, ids: &[String]) -> Result<HashMap<String, Stored>, Error> {
        let mut jobs = HashMap::new();
        for page in ids.chunks(PAGE) {
            let read = |id: &String| Command::new("HGETALL").arg(self.key(id)).replay_safe();
            let answers = self.redis.pipeline(page.iter().map(read).collect()).await?;
            for (id, answer) in page.iter().zip(answers) {
                // What Redis refuses to read as a hash is none.
                let stored = answer.map_or(Stored::Other, |value| stored(&value));
                jobs.insert(id.clone(), stored);
            }
        }
        Ok(jobs)
    }

    /// Locks, and jobs that stand nowhere: whatever else has the queue's name in front.
    async fn rest(&self, state: &mut QueueState) -> Result<(), Error> {
        let mut scan = Scan::new(self.redis, format!("{}*", escaped(&self.base)));
        let mut names = HashSet::new();
        while let Some(keys) = scan.next().await? {
            names.extend(
                keys.iter().filter_map(|key| Some(lossy(key).strip_prefix(&self.base)?.to_owned())),
            );
        }
        let mut unknown = Vec::new();
        for name in names {
            if let Some(id) = name.strip_suffix(":lock") {
                state.locks.push(id.to_owned());
            } else if !state.places.contains_key(&name) && may_be_a_job(&name) {
                unknown.push(name);
            }
        }
        state.locks.sort_unstable();
        for (id, stored) in self.jobs(&unknown).await? {
            // A job has a time at which it was added; no other hash of a queue has.
            if let Stored::Hash(hash) = stored
                && hash.bytes("timestamp").is_some()
            {
                match hash.bytes("finishedOn") {
                    Some(_) => state.leftovers += 1,
                    None => drop(state.unplaced.insert(id, hash)),
                }
            }
        }
        Ok(())
    }
}

/// Whether a key of this name could be a job's.
fn may_be_a_job(name: &str) -> bool {
    let is_own = KINDS.iter().any(|(own, _)| *own == name);
    let beside = name.rsplit_once(':').is_some_and(|(_, last)| BESIDE.contains(&last));
    let family =
        ["de:", "dn:", "metrics:", "batchmq:"].iter().any(|family| name.starts_with(family));
    // A scheduler's record has one segment behind `repeat`, its jobs have two.
    let is_record = name.strip_prefix("repeat:").is_some_and(|rest| !rest.contains(':'));
    !is_own && !beside && !family && !is_record
}

fn stored(value: &Value) -> Stored {
    let items = value.as_array().unwrap_or_default();
    if items.is_empty() {
        return Stored::Missing;
    }
    let fields = items.chunks(2).filter_map(|pair| match pair {
        [field, value] => Some((lossy(field), value.as_bytes()?.to_vec())),
        _ => None,
    });
    Stored::Hash(Hash(fields.collect()))
}

fn lossy(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_jobs_is_none() {
        for name in [
            "wait",
            "meta",
            "7:lock",
            "a:logs",
            "de:p",
            "dn:p",
            "metrics:completed",
            "batchmq:idle",
            "repeat:s",
        ] {
            assert!(!may_be_a_job(name), "{name}");
        }
        for name in ["7", "custom", "repeat:s:1700000000000", "a:b:c"] {
            assert!(may_be_a_job(name), "{name}");
        }
    }

    #[test]
    fn a_prefix_is_matched_as_it_is() {
        assert_eq!(escaped(r"a*[b]?\"), r"a\*\[b\]\?\\");
    }
}
