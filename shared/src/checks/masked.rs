//! Reads settings again and again, each time without those that were found wrong, so that one wrong variable hides
//! no other.

use std::collections::BTreeSet;

use super::Finding;
use crate::config::{ALIASES, Config, Env, VARIABLES};

/// An environment in which some of our variables count as not set.
pub(super) struct Masked<'a> {
    env: &'a dyn Env,
    names: BTreeSet<&'static str>,
}

impl<'a> Masked<'a> {
    pub(super) fn new(env: &'a dyn Env) -> Self {
        Self { env, names: BTreeSet::new() }
    }

    /// Returns what the other settings come to, after all that is wrong was added to `findings`; `None` where they cannot
    /// be read without those that are wrong.
    pub(super) fn read(&mut self, findings: &mut Vec<Finding>) -> Option<Config> {
        loop {
            let finding = match Config::from_env(self) {
                Ok(config) => return Some(config),
                Err(error) => Finding::from(error),
            };
            // Of what is written wrong the first is met again.
            if !findings.contains(&finding) && !self.is_of_masked(&finding) {
                findings.push(finding.clone());
            }
            let before = self.names.len();
            self.names.extend(named(&finding));
            if self.names.len() == before {
                return None;
            }
        }
    }

    /// Whether it may only be so because another variable was left out.
    pub(super) fn is_of_masked(&self, finding: &Finding) -> bool {
        named(finding).any(|name| self.names.contains(name))
    }
}

impl Env for Masked<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.env.get(name).filter(|_| !self.names.contains(name))
    }
}

/// Our variables that are named in a finding.
fn named(finding: &Finding) -> impl Iterator<Item = &'static str> {
    let sentence = finding.to_string();
    let names = VARIABLES.iter().chain(&ALIASES).map(|variable| variable.name);
    names.filter(move |name| {
        let mut words = sentence.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.any(|word| word == *name)
    })
}
