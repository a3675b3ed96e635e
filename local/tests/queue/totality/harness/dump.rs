//! Everything that stands in a database, and what it says of the jobs.

use std::collections::{BTreeMap, BTreeSet};

use redis::aio::MultiplexedConnection;

/// The queues of the tests: the one that is called, and one in which kin of its jobs live.
pub(crate) const BASES: [&str; 2] = ["t:q:", "t:other:"];

const LISTS: [&str; 3] = ["wait", "paused", "active"];
const SETS: [&str; 5] = ["prioritized", "delayed", "waiting-children", "completed", "failed"];

pub(crate) struct Content {
    pub(crate) kind: String,
    pub(crate) items: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Dump {
    pub(crate) keys: BTreeMap<String, Content>,
    /// The command that was refused.
    pub(crate) met: Option<String>,
    /// Where each job of both queues stands, by its hash's key: each place as often as it does.
    pub(crate) places: BTreeMap<String, Vec<&'static str>>,
}

impl Dump {
    pub(crate) async fn of(connection: &mut MultiplexedConnection) -> Self {
        let (rows, met): (String, String) =
            super::script(include_str!("dump.lua"), &["t:"], connection).await;
        let rows: Vec<(String, String, Vec<String>)> = serde_json::from_str(&rows).unwrap();
        let keys = rows.into_iter().map(|(key, kind, items)| (key, Content { kind, items }));
        let met = Some(met).filter(|met| !met.is_empty());
        let mut dump = Self { keys: keys.collect(), met, places: BTreeMap::new() };
        dump.places = dump.find();
        dump
    }

    /// The members of a list or set; none of what is another type.
    fn members(&self, key: &str) -> Vec<&str> {
        let Some(content) = self.keys.get(key) else { return Vec::new() };
        let step = match content.kind.as_str() {
            "list" | "set" => 1,
            "zset" => 2,
            _ => return Vec::new(),
        };
        content.items.iter().step_by(step).map(String::as_str).collect()
    }

    fn find(&self) -> BTreeMap<String, Vec<&'static str>> {
        let mut places = BTreeMap::<String, Vec<&'static str>>::new();
        for base in BASES {
            for (names, kind) in [(&LISTS[..], "list"), (&SETS[..], "zset")] {
                for name in names {
                    let key = format!("{base}{name}");
                    if self.keys.get(&key).is_some_and(|content| content.kind == kind) {
                        for id in self.members(&key) {
                            places.entry(format!("{base}{id}")).or_default().push(name);
                        }
                    }
                }
            }
        }
        places
    }

    pub(crate) fn is_hash(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|content| content.kind == "hash")
    }

    /// Whether the queue is paused, or holds what was paused.
    pub(crate) fn is_paused(&self) -> bool {
        let meta = self.keys.get("t:q:meta");
        meta.is_some_and(|meta| meta.items.iter().any(|item| item == "paused"))
            || self.keys.contains_key("t:q:paused")
    }

    /// Whether all that a parent waits for stands somewhere.
    pub(crate) fn can_be_released(&self, parent: &str) -> bool {
        let open = self.keys.get(&format!("{parent}:dependencies"));
        open.is_none_or(|content| content.kind == "set")
            && open.is_none_or(|content| {
                content.items.iter().all(|key| self.is_hash(key) && self.places.contains_key(key))
            })
    }

    /// The deduplication ids that jobs carry, or that have keys.
    pub(crate) fn deduplications(&self) -> BTreeSet<String> {
        let keys =
            self.keys.keys().filter_map(|key| key.strip_prefix("t:q:de:").map(str::to_owned));
        let jobs =
            self.keys.values().filter(|content| content.kind == "hash").flat_map(|content| {
                content
                    .items
                    .chunks_exact(2)
                    .filter(|pair| pair[0] == "deid")
                    .map(|pair| pair[1].clone())
            });
        keys.chain(jobs).collect()
    }

    /// The job schedulers, and whether the next job of each stands somewhere.
    pub(crate) fn schedulers(&self) -> BTreeMap<String, bool> {
        let Some(content) = self.keys.get("t:q:repeat").filter(|content| content.kind == "zset")
        else {
            return BTreeMap::new();
        };
        let pairs = content.items.chunks_exact(2);
        pairs
            .map(|pair| {
                let next = format!("t:q:repeat:{}:{}", pair[0], pair[1]);
                (pair[0].clone(), self.places.contains_key(&next) && self.is_hash(&next))
            })
            .collect()
    }
}
