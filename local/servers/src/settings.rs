//! The environment with some settings replaced: how the servers that `deo` starts are handed to the code
//! that reads its settings as it does on Lambda.

use std::collections::BTreeMap;

use shared::config::{Env, ProcessEnv};

/// The process's environment under settings of our own.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<&'static str, Option<String>>);

impl Settings {
    /// `name` has this value, whatever the environment says.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.insert(name, Some(value.into()));
        self
    }

    /// `name` is not set, whatever the environment says.
    #[must_use]
    pub fn without(mut self, name: &'static str) -> Self {
        self.0.insert(name, None);
        self
    }

    /// `name` has this value unless the environment gives it another.
    #[must_use]
    pub fn or(self, name: &'static str, value: &str) -> Self {
        if given(&ProcessEnv, name).is_some() { self } else { self.with(name, value) }
    }
}

impl Env for Settings {
    fn get(&self, name: &str) -> Option<String> {
        match self.0.get(name) {
            Some(value) => value.clone(),
            None => ProcessEnv.get(name),
        }
    }

    fn names(&self) -> Vec<String> {
        let theirs = ProcessEnv.names().into_iter().filter(|name| !self.0.contains_key(&**name));
        let ours = self.0.iter().filter(|(_, value)| value.is_some());
        theirs.chain(ours.map(|(name, _)| (*name).to_owned())).collect()
    }
}

/// What `env` says of `name`; an empty variable counts as not set.
pub fn given(env: &impl Env, name: &str) -> Option<String> {
    env.get(name).filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_go_before_the_environments() {
        let settings = Settings::default().with("PATH", "here").without("HOME");
        assert_eq!(settings.get("PATH").as_deref(), Some("here"));
        assert_eq!(settings.get("HOME"), None);
        let names = settings.names();
        assert!(names.contains(&"PATH".to_owned()) && !names.contains(&"HOME".to_owned()));
        assert_eq!(settings.get("CARGO_PKG_NAME"), ProcessEnv.get("CARGO_PKG_NAME"));
    }

    #[test]
    fn a_default_gives_way() {
        let settings = Settings::default().or("PATH", "nowhere").or("NOT_SET_ANYWHERE", "default");
        assert_eq!(settings.get("PATH"), ProcessEnv.get("PATH"));
        assert_eq!(settings.get("NOT_SET_ANYWHERE").as_deref(), Some("default"));
    }
}
