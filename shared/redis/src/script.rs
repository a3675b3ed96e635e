//! Describes a Lua script of ours.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::command::{Command, Title};

/// A script and whether it may be run twice.
///
/// Two conventions: a script answers an array whose first element is the number of commands that
/// it executed; and when it refuses its arguments it returns `redis.error_reply('CODE sentence')`
/// before its first write, which comes back as [`ErrorKind::Server`](super::ErrorKind::Server)
/// with that code.
///
/// ```no_run
/// use batchmq_redis::{Redis, Script};
///
/// static TAKE: Script = Script {
///     name: "take",
///     source: "return {1, redis.call('GETDEL', KEYS[1])}",
///     replay_safe: false,
/// };
///
/// # async fn example(redis: &Redis) -> Result<(), batchmq_redis::Error> {
/// let keys = ["ticket".to_owned()];
/// // Over REST a request has a largest size.
/// assert!(redis.room_for_args(&TAKE, &keys).is_none_or(|room| room > Redis::request_bytes(b"")));
/// let answer = redis.run(&TAKE, &keys, Vec::new()).await?;
/// println!("{:?}", answer[0].as_str());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Script {
    /// For errors, logs and spans.
    pub name: &'static str,
    /// The Lua text.
    pub source: &'static str,
    /// Whether the script itself recognises a second run with the same arguments.
    pub replay_safe: bool,
}

impl Script {
    /// The SHA-1 of the source in hexadecimal, by which Redis knows a script; computed once.
    pub(crate) fn sha1(&self) -> Arc<str> {
        // Sources are `'static`, so that an address stands for a text.
        type Known = Mutex<HashMap<(usize, usize), Arc<str>>>;
        static KNOWN: OnceLock<Known> = OnceLock::new();
        let place = (self.source.as_ptr().addr(), self.source.len());
        let mut known =
            KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(place)
            .or_insert_with(|| {
                hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, self.source.as_bytes()).as_ref()).into()
            })
            .clone()
    }

    /// The script as an EVALSHA.
    pub(crate) fn by_sha1(&self, keys: &[String], args: Vec<Vec<u8>>) -> Command {
        let mut command = Command::new("EVALSHA")
            .arg(self.sha1().as_bytes())
            .arg(keys.len().to_string())
            .args(keys.iter().map(String::as_bytes));
        command.args.extend(args);
        command.title = Title::Script(self.name);
        command.replay_safe = self.replay_safe;
        command
    }

    /// Turns an EVALSHA of this script into an EVAL, which carries the source.
    pub(crate) fn with_source(&self, mut by_sha1: Command) -> Command {
        for (arg, text) in by_sha1.args.iter_mut().zip(["EVAL", self.source]) {
            *arg = text.as_bytes().to_vec();
        }
        by_sha1
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCRIPT: Script = Script { name: "one", source: "return {1, 1}", replay_safe: true };

    #[test]
    fn a_script_is_called_by_the_sha1_of_its_source() {
        // printf 'return {1, 1}' | sha1sum
        assert_eq!(&*SCRIPT.sha1(), "17b60e78ae2eea80de78126bd486ff6098bd2646");
        let by_sha1 = SCRIPT.by_sha1(&["k".into()], vec![b"a".to_vec()]);
        assert!(by_sha1.replay_safe);
        assert_eq!(by_sha1.to_string(), "script one on key \"k\"");
        let by_source = SCRIPT.with_source(by_sha1);
        let expected: [&[u8]; 5] = [b"EVAL", b"return {1, 1}", b"1", b"k", b"a"];
        assert_eq!(by_source.args, expected);
        assert_eq!(by_source.to_string(), "script one on key \"k\"");
    }
}
