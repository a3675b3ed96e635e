//! Defines how one try of a request can end badly, the same for both transports.

use std::time::Duration;

use super::command::Command;
use super::condition::{is_of_cluster, kind_of, retry_of};
use super::endpoint::Names;
use super::error::{Error, ErrorKind, Retry};

/// Why one try of a request brought no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of the request reached the server. Only [`ErrorKind::Unavailable`] may pass.
    Unsent {
        /// What kind of error it is.
        kind: ErrorKind,
        /// What happened.
        reason: String,
    },
    /// The request was sent, at least in part, and its answer did not come whole.
    Lost {
        /// What happened.
        reason: String,
        /// The connection broke, so that a new one may answer at once.
        broken: bool,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server said that it did not take the request, and that it may later.
    Throttled {
        /// What the server said.
        reason: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// Redis answered the whole request with an error: the text of it, code first.
    Refused(String),
    /// An answer that no other try would change.
    Final {
        /// What kind of error it is.
        kind: ErrorKind,
        /// What happened and how to mend it.
        reason: String,
    },
}

impl Failure {
    /// A server that could not be reached.
    pub(super) fn unreachable(reason: String) -> Self {
        Self::Unsent { kind: ErrorKind::Unavailable, reason }
    }

    /// A server to which there is no connection; `url` is what the setting is called that leads there.
    pub(super) fn absent(server: &str, cause: &str, url: &str) -> Self {
        Self::unreachable(format!(
            "cannot connect to {server}{cause}. Is it running, and does {url} lead to it?"
        ))
    }

    /// A server whose certificate says that it is somebody else, or that nobody vouches for; `url` is what the
    /// setting is called that leads there.
    pub(super) fn untrusted(server: &str, distrust: &str, url: &str, names: &Names) -> Self {
        let reason = format!(
            "{server} cannot be trusted ({distrust}); check the host in {url} and that nothing on the way takes \
             its place, or name the authority that signed its certificate in {}",
            names.authorities
        );
        Self::Unsent { kind: ErrorKind::Configuration, reason }
    }

    /// Whether the server executed the request, or may have.
    pub(super) fn executed(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::Refused(line) => matches!(kind_of(line), ErrorKind::Server(_)),
            Self::Final { kind, .. } => *kind == ErrorKind::Protocol,
            Self::Unsent { .. } | Self::Throttled { .. } => false,
        }
    }

    /// Whether anything was sent.
    pub(super) fn sent(&self) -> bool {
        !matches!(self, Self::Unsent { .. })
    }

    /// The typed error, for a request called `title` that may be sent twice if `replay_safe`.
    pub(super) fn into_error(
        self,
        title: &str,
        replay_safe: bool,
        commands: &[Command],
        names: &Names,
    ) -> Error {
        let (kind, retry, reason) = match self {
            Self::Unsent { kind: ErrorKind::Unavailable, reason } => {
                (ErrorKind::Unavailable, Retry::After(None), reason)
            }
            Self::Throttled { reason, retry_after } => {
                let reason = without_arguments(&reason, commands);
                (ErrorKind::RateLimited, Retry::After(retry_after), reason)
            }
            Self::Lost { reason, broken, retry_after } => {
                let reason = without_arguments(&reason, commands);
                let message = format!("{title}: {reason}; it may have been executed");
                let replay = if broken { Retry::Now } else { Retry::After(retry_after) };
                let retry = if replay_safe { replay } else { Retry::Never };
                return Error { kind: ErrorKind::Ambiguous, message, retry, replay };
            }
            Self::Refused(line) => return refusal(&line, title, commands, names),
            Self::Unsent { kind, reason } | Self::Final { kind, reason } => {
                (kind, Retry::Never, reason)
            }
        };
        Error::with(kind, format!("{title}: {reason}"), retry)
    }
}

/// How much of a server's sentence goes into an error, in bytes; `[argument]` may end it.
const MAX_SENTENCE: usize = 240;

/// Fewer bytes of an argument are not looked for in a server's sentence: they would match the
/// sentence's own words.
const MIN_ARGUMENT: usize = 8;

/// The typed error for an error text of Redis or Upstash (`CODE sentence`).
///
/// Servers repeat arguments in some sentences; `commands` are what was sent, and none of their
/// arguments but the key gets through.
pub(super) fn refusal(line: &str, title: &str, commands: &[Command], names: &Names) -> Error {
    let kind = kind_of(line);
    let hint = match (&kind, kind.condition()) {
        (ErrorKind::Authorization, _) if line.contains("NOPERM") => {
            ". If this is Upstash's read-only token, use the standard one: a read-only token \
             cannot run scripts or write"
                .to_owned()
        }
        (ErrorKind::Authorization, _) if line.starts_with("NOAUTH") => {
            ". The server wants a password: put it into the URL".to_owned()
        }
        (ErrorKind::Authorization, _) => {
            ". Check the token or password, and that it belongs to this URL".to_owned()
        }
        (ErrorKind::Quota, _) => {
            ". The plan's quota is used up; nothing works until it is raised or renewed".to_owned()
        }
        (ErrorKind::Server(code), _) if code == "READONLY" => format!(
            ". It is a replica, or became one: {} has to lead to the primary",
            names.redis_url
        ),
        _ if is_of_cluster(line) => format!(
            ". In cluster mode all keys of a queue must be in one slot: put a hash tag into {}, as {{bull}}, so \
             that one shard is used and no other, and let {} lead to that shard's primary",
            names.prefix, names.redis_url
        ),
        _ => String::new(),
    };
    let sentence = without_arguments(line, commands);
    let sentence = if hint.is_empty() { &*sentence } else { sentence.trim_end_matches('.') };
    let retry = retry_of(&kind);
    Error::with(kind, format!("{title}: {sentence}{hint}"), retry)
}

/// The beginning of `line` without what it repeats of the commands' arguments: whole, or as much of
/// their beginnings as the server left of them.
fn without_arguments(line: &str, commands: &[Command]) -> String {
    // Redis repeats the arguments of a command that it does not know after these words.
    let mut line = line.split(", with args beginning with").next().unwrap_or_default();
    let arguments = commands.iter().flat_map(|command| command.args.iter().skip(1));
    let arguments: Vec<_> = arguments.map(|argument| String::from_utf8_lossy(argument)).collect();
    let mut sentence = String::new();
    // What comes after the sentence's end is looked at only for how far an argument goes: so much
    // work for each of a few characters, whatever the length of the line.
    while sentence.len() < MAX_SENTENCE {
        let Some(next) = line.chars().next() else { break };
        let longest = arguments.iter().map(|argument| repeated(line, argument)).max();
        match longest.filter(|bytes| *bytes >= MIN_ARGUMENT) {
            Some(bytes) => {
                sentence.push_str("[argument]");
                line = &line[bytes..];
            }
            None => {
                sentence.push(shown(next));
                line = &line[next.len_utf8()..];
            }
        }
    }
    sentence
}

/// How many bytes `line` and `argument` have in common from their beginnings on.
fn repeated(line: &str, argument: &str) -> usize {
    let pairs = line.chars().zip(argument.chars());
    // Redis itself writes a space for the end of a line.
    let same = pairs.take_while(|(ours, theirs)| shown(*ours) == shown(*theirs));
    same.map(|(c, _)| c.len_utf8()).sum()
}

fn shown(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str, title: &str, commands: &[Command]) -> Error {
        super::refusal(line, title, commands, &Names { prefix: "PREFIX", ..Names::default() })
    }

    #[test]
    fn a_cluster_s_refusals_name_the_remedy() {
        for line in [
            "MOVED 3999 127.0.0.1:6381",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR Script attempted to access a non local key in a cluster node",
        ] {
            let told = refusal(line, "GET", &[]).to_string();
            assert!(told.starts_with(&format!("GET: {line}. In cluster mode")), "{told}");
            for part in ["a hash tag into PREFIX, as {bull}", "one shard is used and no other"] {
                assert!(told.contains(part), "{told}");
            }
        }
        let told = refusal("READONLY You can't write.", "SET", &[]).to_string();
        let hint = "It is a replica, or became one: the Redis URL has to lead to the primary";
        assert_eq!(told, format!("SET: READONLY You can't write. {hint}"));
    }

    #[test]
    fn a_servers_sentence_repeats_no_argument() {
        let command = Command::new("SETT").arg("k").arg("canary-0123456789");
        let line = "ERR unknown command 'SETT', with args beginning with: 'k' 'canary-0123456789' ";
        let error = refusal(line, "SETT", std::slice::from_ref(&command));
        assert_eq!(error.to_string(), "SETT: ERR unknown command 'SETT'");
        let line = "ERR cannot parse canary-0123456789\nat 3";
        let error = refusal(line, "SETT", &[command]);
        assert_eq!(error.to_string(), "SETT: ERR cannot parse [argument] at 3");
    }

    #[test]
    fn no_part_of_an_argument_gets_through_however_it_was_cut() {
        let long = "canary ".repeat(1_500_000);
        let lines = format!("canary\r\n{}", "x".repeat(500));
        let letters = format!("canary-{}", "é".repeat(300));
        for (argument, line, expected) in [
            // Longer than what is shown; split by where that ends; cut by the server.
            (long.as_str(), format!("ERR bad {long}!"), "ERR bad [argument]!"),
            (&long, format!("{} {long}", "ERR ".repeat(58)), "[argument]"),
            (&long, format!("ERR bad {}", &long[..1_000]), "ERR bad [argument]"),
            (&long, format!("ERR bad '{}...'", &long[..12]), "ERR bad '[argument]...'"),
            (&long, format!("ERR bad {}", &long[..8]), "ERR bad [argument]"),
            // In several lines, as Redis writes them; between the bytes of a letter.
            (&lines, format!("ERR bad {}", lines.replace("\r\n", "  ")), "ERR bad [argument]"),
            (
                &letters,
                format!("ERR bad {}", String::from_utf8_lossy(&letters.as_bytes()[..20])),
                "ERR bad [argument]\u{fffd}",
            ),
            // Not enough to tell it from a sentence's own words.
            (&long, "ERR bad canary".to_owned(), "ERR bad canary"),
        ] {
            let command = Command::new("SET").arg("k").arg(argument);
            let error = refusal(&line, "SET", &[Command::new("GET").arg("k"), command]);
            assert!(error.message.ends_with(expected), "{} {expected}", error.message);
            assert!(error.message.len() <= 300, "{}", error.message.len());
        }
        let command = Command::new("SET").arg("k").arg([&b"canary-"[..], &[0xff; 100]].concat());
        let line = format!("ERR bad {}", String::from_utf8_lossy(&command.args[2]));
        assert_eq!(refusal(&line, "SET", &[command]).message, "SET: ERR bad [argument]");
    }

    #[test]
    fn a_lost_answer_may_be_asked_for_again_only_when_that_is_safe() {
        let asked = Some(Duration::from_secs(1));
        for (replay_safe, broken, retry, replay) in [
            (true, true, Retry::Now, Retry::Now),
            (true, false, Retry::After(asked), Retry::After(asked)),
            (false, true, Retry::Never, Retry::Now),
            (false, false, Retry::Never, Retry::After(asked)),
        ] {
            let lost = Failure::Lost { reason: "reset".into(), broken, retry_after: asked };
            let error = lost.into_error("INCR on key \"k\"", replay_safe, &[], &Names::default());
            assert_eq!((error.kind, error.retry), (ErrorKind::Ambiguous, retry));
            assert_eq!(error.replay, replay);
            assert_eq!(error.message, "INCR on key \"k\": reset; it may have been executed");
        }
    }
}
