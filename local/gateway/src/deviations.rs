//! Deviations on purpose: ways in which a server could be another one than we take Upstash for. For tests of what
//! finds them.

use super::{command::Command, reply::Outcome};

/// One way to be different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// EXISTS counts a key once, however often it is named.
    CountsKeysOnce,
    /// An unknown script is told in other words than NOSCRIPT.
    RewordsUnknownScripts,
    /// Answers carry no sync token.
    NoSyncTokens,
    /// OPTIONS ends in an error of the server.
    FailsOptions,
    /// Answers of more bytes are refused.
    BoundsAnswers(usize),
    /// Scripts are refused, as to whoever may only read.
    RefusesScripts,
}

/// Those of a gateway.
#[derive(Clone, Debug, Default)]
pub(super) struct Deviations(pub(super) Vec<Deviation>);

impl Deviations {
    pub(super) fn has(&self, deviation: Deviation) -> bool {
        self.0.contains(&deviation)
    }

    /// How large an answer may be.
    pub(super) fn largest_answer(&self) -> usize {
        let bounds = self.0.iter().filter_map(|it| match it {
            Deviation::BoundsAnswers(bytes) => Some(*bytes),
            _ => None,
        });
        bounds.min().unwrap_or(usize::MAX)
    }

    /// The command that is sent in place of this one.
    pub(super) fn of_command(&self, command: Command) -> Command {
        if !self.has(Deviation::CountsKeysOnce) || command.name() != "EXISTS" {
            return command;
        }
        let mut seen: Vec<&[u8]> = Vec::new();
        for argument in command.args() {
            if !seen.contains(&argument) {
                seen.push(argument);
            }
        }
        seen.iter().collect()
    }

    /// The outcome in place of this one.
    pub(super) fn of_outcome(&self, outcome: Outcome) -> Outcome {
        let is_unknown_script = match &outcome {
            Outcome::Reply(reply) => reply.error().is_some_and(|it| it.starts_with(b"NOSCRIPT")),
            Outcome::Error(message) => message.starts_with("NOSCRIPT"),
        };
        match is_unknown_script && self.has(Deviation::RewordsUnknownScripts) {
            true => Outcome::Error("ERR unknown script".to_owned()),
            false => outcome,
        }
    }
}
