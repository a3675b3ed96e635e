//! Says where settings come from: the process's environment, or a map in tests.

use std::collections::BTreeMap;

/// A source of settings by name.
pub trait Env {
    /// The value of `name`, or `None` when it is not set. What is not UTF-8 in it is U+FFFD, which no value may hold.
    fn get(&self, name: &str) -> Option<String>;

    /// The names of all that is set, where they are known: by them misspelt ones are found.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The process's environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnv;

impl Env for ProcessEnv {
    fn get(&self, name: &str) -> Option<String> {
        Some(std::env::var_os(name)?.to_string_lossy().into_owned())
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }
}

impl Env for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        BTreeMap::get(self, name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}
