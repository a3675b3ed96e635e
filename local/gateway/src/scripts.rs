//! Scripts with Upstash's own flag `allow-key-locking`, which Redis refuses.
//!
//! `@upstash/ratelimit` sends them. The flag only says that Upstash may lock less, so it is taken
//! out; since that changes the script's digest, the digest that the client knows is remembered.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{command::Command, resp::Frame};

const FLAG: &str = "allow-key-locking";

/// More scripts than any program has; beyond it the digests are forgotten, and a client that
/// hears NOSCRIPT sends its script again.
const MOST_DIGESTS: usize = 1024;

/// The digests that clients know, and those of the scripts that Redis got.
#[derive(Debug, Default)]
pub(super) struct Scripts(Mutex<HashMap<String, String>>);

/// What goes to Redis in place of a command.
#[derive(Debug, Default)]
pub(super) struct Translation {
    /// The command itself, when it differs.
    pub(super) command: Option<Command>,
    /// What the client is told when it succeeds, when that differs.
    pub(super) answer: Option<Frame>,
}

impl Scripts {
    /// Takes the flag out of `command`'s script, or the client's digest out of `command`.
    pub(super) fn translate(&self, command: &Command) -> Translation {
        let name = command.name();
        match (name.as_str(), command.word(1).as_str()) {
            ("EVAL" | "EVAL_RO", _) => self.without_flag(command, 1),
            ("SCRIPT", "LOAD") => {
                let mut translation = self.without_flag(command, 2);
                if translation.command.is_some() {
                    let script = command.args().nth(2).unwrap_or_default();
                    translation.answer = Some(Frame::bulk(sha1(script).as_bytes()));
                }
                translation
            }
            ("EVALSHA" | "EVALSHA_RO", _) => self.with_our_digests(command, 1..2),
            ("SCRIPT", "EXISTS") => self.with_our_digests(command, 2..command.len()),
            _ => Translation::default(),
        }
    }

    fn without_flag(&self, command: &Command, index: usize) -> Translation {
        let script = command.args().nth(index).unwrap_or_default();
        let Some(changed) = strip(script) else { return Translation::default() };
        let mut digests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if digests.len() >= MOST_DIGESTS {
            digests.clear();
        }
        digests.insert(sha1(script), sha1(&changed));
        drop(digests);
        let arguments = command.args().enumerate();
        let command = arguments
            .map(|(at, argument)| if at == index { changed.as_slice() } else { argument })
            .collect();
        Translation { command: Some(command), answer: None }
    }

    fn with_our_digests(&self, command: &Command, at: std::ops::Range<usize>) -> Translation {
        let digests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if digests.is_empty() {
            return Translation::default();
        }
        let ours = |(index, argument): (usize, &[u8])| {
            let digest = String::from_utf8_lossy(argument).to_ascii_lowercase();
            match digests.get(&digest) {
                Some(ours) if at.contains(&index) => ours.clone().into_bytes(),
                _ => argument.to_vec(),
            }
        };
        Translation { command: Some(command.args().enumerate().map(ours).collect()), answer: None }
    }
}

/// The script without the flag, or `None` when it does not have it.
fn strip(script: &[u8]) -> Option<Vec<u8>> {
    let end = script.iter().position(|byte| *byte == b'\n').unwrap_or(script.len());
    let shebang = std::str::from_utf8(&script[..end]).ok()?;
    if !shebang.starts_with("#!") || !shebang.contains(FLAG) {
        return None;
    }
    let words = shebang.split_whitespace().filter_map(|word| match word.strip_prefix("flags=") {
        None => Some(word.to_owned()),
        Some(flags) => {
            let rest: Vec<_> = flags.split(',').filter(|flag| *flag != FLAG).collect();
            (!rest.is_empty()).then(|| format!("flags={}", rest.join(",")))
        }
    });
    let mut changed = words.collect::<Vec<_>>().join(" ").into_bytes();
    // Redis before 7 knows no such line, and without flags it says nothing.
    if changed == b"#!lua" {
        changed.clear();
    }
    changed.extend_from_slice(&script[end..]);
    Some(changed)
}

fn sha1(script: &[u8]) -> String {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, script);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn takes_out_only_the_flag() {
        let strip = |script: &str| strip(script.as_bytes()).map(|s| String::from_utf8(s).unwrap());
        assert_eq!(strip("#!lua flags=allow-key-locking\nreturn 1"), Some("\nreturn 1".to_owned()));
        assert_eq!(
            strip("#!lua flags=no-writes,allow-key-locking\nreturn 1"),
            Some("#!lua flags=no-writes\nreturn 1".to_owned())
        );
        assert_eq!(strip("#!lua flags=no-writes\nreturn 1"), None);
        assert_eq!(strip("return 'flags=allow-key-locking'"), None);
    }

    #[test]
    fn the_clients_digest_finds_our_script() {
        let scripts = Scripts::default();
        let script = "#!lua flags=allow-key-locking\nreturn 1";
        let theirs = sha1(script.as_bytes());
        let evalsha: Command = ["evalsha", &theirs.to_uppercase(), "0"].iter().collect();
        assert!(scripts.translate(&evalsha).command.is_none(), "nothing is known yet");
        let eval: Command = ["EVAL", script, "0"].iter().collect();
        let sent = scripts.translate(&eval).command.unwrap();
        assert_eq!(sent.args().nth(1).unwrap(), b"\nreturn 1");
        let sent = scripts.translate(&evalsha).command.unwrap();
        let ours = sha1(b"\nreturn 1");
        assert_eq!(sent.args().nth(1).unwrap(), ours.as_bytes());
        let load: Command = ["SCRIPT", "LOAD", script].iter().collect();
        let answer = scripts.translate(&load).answer.unwrap();
        assert_eq!(answer, Frame::bulk(theirs.as_bytes()));
    }
}
