//! Counts what a handler has to tell beside its settlements.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// A handler's own counts by name, as they stand in a [`Report`](crate::Report). Names are written in
/// camel case, as the report's other fields are.
///
/// ```
/// use batchmq_engine::Counters;
///
/// let (mut all, mut one) = (Counters::of(&["mails"]), Counters::default());
/// one.add("mails", 2);
/// all.add_all(&one);
/// assert_eq!((all.get("mails"), all.get("others")), (2, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Starts these counts at zero.
    pub fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| ((*name).to_owned(), 0)).collect())
    }

    /// Returns a count; 0 for one that nobody counted.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Adds the counts of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name.clone()).or_default() += count;
        }
    }

    /// Adds to a count.
    pub fn add(&mut self, name: &str, more: u64) {
        match self.0.get_mut(name) {
            Some(count) => *count += more,
            None => {
                self.0.insert(name.to_owned(), more);
            }
        }
    }
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

/// Of the fields that a report does not know, those that are counts.
impl<'de> Deserialize<'de> for Counters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::<String, Value>::deserialize(deserializer)?;
        let counts = fields.into_iter().filter_map(|(name, value)| Some((name, value.as_u64()?)));
        Ok(Self(counts.collect()))
    }
}
