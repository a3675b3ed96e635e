//! Describes one Redis command.

use std::fmt;

/// A command's name and arguments, and whether it may be sent twice.
///
/// ```
/// use batchmq_redis::Command;
///
/// let read = Command::new("MGET").arg("one").args(["two", "three"]).replay_safe();
/// let push = Command::new("RPUSH").arg("list").arg("x");
/// assert_ne!(read, push);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Name first, then the arguments.
    pub(crate) args: Vec<Vec<u8>>,
    /// Whether a second execution changes nothing more than the first.
    pub(crate) replay_safe: bool,
    /// What errors, logs and spans call it: the command's name, or the script's.
    pub(crate) title: Title,
}

/// What a command is called outside of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Title {
    /// A command by its own name.
    Command(&'static str),
    /// A script of ours, by the script's name.
    Script(&'static str),
}

/// The longest part of a key that an error or a span shows, in characters.
const MAX_KEY_SHOWN: usize = 128;

impl Command {
    /// A command that is not sent again when its answer is lost.
    pub fn new(name: &'static str) -> Self {
        Self {
            args: vec![name.as_bytes().to_vec()],
            replay_safe: false,
            title: Title::Command(name),
        }
    }

    /// Appends an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Appends arguments.
    #[must_use]
    pub fn args<A: Into<Vec<u8>>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Declares that executing the command twice does no more than once (reads, plain writes of
    /// the same value): it may be sent again when its answer was lost.
    #[must_use]
    pub fn replay_safe(mut self) -> Self {
        self.replay_safe = true;
        self
    }

    /// The key that errors and spans show: the first argument, or a script's first key. `None`
    /// for commands whose first argument is something else, which might be a secret.
    pub(crate) fn key(&self) -> Option<String> {
        let name = self.args.first()?;
        let position =
            if ["EVAL", "EVALSHA"].iter().any(|eval| name.eq_ignore_ascii_case(eval.as_bytes())) {
                if self.args.get(2)?.as_slice() == b"0" {
                    return None;
                }
                3
            } else if ["AUTH", "HELLO", "ECHO", "PING"]
                .iter()
                .any(|keyless| name.eq_ignore_ascii_case(keyless.as_bytes()))
            {
                return None;
            } else {
                1
            };
        let key = String::from_utf8_lossy(self.args.get(position)?);
        let mut shown: String =
            key.chars().take(MAX_KEY_SHOWN).flat_map(char::escape_debug).collect();
        if key.chars().nth(MAX_KEY_SHOWN).is_some() {
            shown.push('…');
        }
        Some(shown)
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(name) => f.write_str(name),
            Self::Script(name) => write!(f, "script {name}"),
        }
    }
}

/// The title and the key; never an argument.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.title)?;
        match self.key() {
            Some(key) => write!(f, " on key \"{key}\""),
            None => Ok(()),
        }
    }
}

/// As [`fmt::Display`]: arguments may be payloads.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self})")
    }
}
