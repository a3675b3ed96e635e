//! What the gateway says when it does not pass a request on: Upstash's words and statuses.

use std::error::Error;

use hyper::StatusCode;

use super::command::Command;

/// A request or a command that is refused: nothing was sent to Redis for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The status of the whole request; an item of a pipeline only shows the message.
    pub(super) status: StatusCode,
    /// What goes into `{"error": ...}`.
    pub(super) message: String,
}

impl Refusal {
    /// A 400.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    /// No token, or one that is not ours.
    pub(super) fn unauthorized() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            message: "WRONGPASS invalid or missing auth token".into(),
        }
    }

    /// A page of another site, which a browser on this machine shows.
    pub(super) fn cross_site() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            message: "ERR pages of other sites may not ask this gateway".into(),
        }
    }

    /// A method other than HEAD, GET, POST and PUT.
    pub(super) fn method_not_allowed() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            message: "ERR method not allowed, use HEAD, GET, POST or PUT".into(),
        }
    }

    /// A body over `limit` bytes; `actual` is how many it has, as far as is known.
    pub(super) fn too_large(limit: usize, actual: u64) -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            message: format!(
                "ERR max request size exceeded. Limit: {limit} bytes, Actual: {actual} bytes. See \
                 https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded for \
                 details"
            ),
        }
    }

    /// No connection to Redis: nothing was executed.
    pub(super) fn unreachable(error: &dyn Error) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: format!("ERR {error}") }
    }

    /// A command that a read-only token may not run.
    pub(super) fn no_permission(name: &str) -> Self {
        Self::bad_request(format!(
            "NOPERM this user has no permissions to run the '{}' command or its subcommand",
            name.to_ascii_lowercase()
        ))
    }

    /// A command that Upstash does not have.
    pub(super) fn not_available(name: &str) -> Self {
        Self::bad_request(format!(
            "ERR Command is not available: '{}'. See \
             https://upstash.com/docs/redis/overall/rediscompatibility for details",
            name.to_ascii_uppercase()
        ))
    }

    /// A command that makes no sense over stateless HTTP.
    pub(super) fn not_over_rest(name: &str) -> Self {
        Self::bad_request(format!(
            "ERR Command \"{name}\" is not allowed in REST or it has a special context path"
        ))
    }
}

/// Whether the gateway passes `command` on at all, whoever asks.
///
/// # Errors
/// Upstash's refusal of commands that block, that belong to a connection, or that administer the
/// server. What Redis itself does not know is refused by Redis, and its words are translated
/// (see [`in_upstash_words`]).
pub(super) fn supported(command: &Command) -> Result<(), Refusal> {
    let name = command.name();
    match name.as_str() {
        // Connections are shared and have no state of their own; a transaction is `/multi-exec`,
        // a subscription its own path. PING and ECHO are the exceptions.
        "AUTH" | "HELLO" | "RESET" | "QUIT" | "SELECT" | "READONLY" | "READWRITE" | "ASKING"
        | "MULTI" | "EXEC" | "DISCARD" | "WATCH" | "UNWATCH" | "MONITOR" | "SUBSCRIBE"
        | "UNSUBSCRIBE" | "PSUBSCRIBE" | "PUNSUBSCRIBE" | "SSUBSCRIBE" | "SUNSUBSCRIBE" => {
            Err(Refusal::not_over_rest(&name))
        }
        "CLIENT" if !is_introduction(command) => Err(Refusal::not_over_rest(&name)),
        // Blocking.
        "BLPOP" | "BRPOP" | "BRPOPLPUSH" | "BLMOVE" | "BLMPOP" | "BZPOPMIN" | "BZPOPMAX"
        | "BZMPOP" | "WAIT" | "WAITAOF" => Err(Refusal::not_over_rest(&name)),
        "XREAD" | "XREADGROUP" if blocks(command) => Err(Refusal::not_over_rest(&name)),
        // The server, which is not the database's owner's at Upstash.
        "CLUSTER" | "REPLICAOF" | "SLAVEOF" | "ROLE" | "FAILOVER" | "SYNC" | "PSYNC"
        | "REPLCONF" | "SHUTDOWN" | "DEBUG" | "SAVE" | "BGSAVE" | "BGREWRITEAOF" | "LASTSAVE"
        | "MODULE" | "MIGRATE" | "RESTORE-ASKING" | "SWAPDB" | "MOVE" | "LATENCY" | "SLOWLOG"
        | "COMMANDLOG" | "LOLWUT" | "PFDEBUG" | "PFSELFTEST" | "CONFIG" => {
            Err(Refusal::not_available(&name))
        }
        // Not commands: Redis takes them for HTTP and closes the connection without an answer.
        "POST" | "HOST:" => Err(Refusal::not_available(&name)),
        // Whoever comes next on the connection would find the debugger there.
        "SCRIPT" if command.args().nth(1).is_some_and(|word| says(word, "DEBUG")) => {
            Err(Refusal::not_available("SCRIPT DEBUG"))
        }
        _ => Ok(()),
    }
}

/// Whether a client introduces itself with CLIENT SETINFO, as the official SDK does. Connections are
/// shared here, and Redis before 7.2 does not know the command: it is answered and not passed on.
pub(super) fn is_introduction(command: &Command) -> bool {
    command.name() == "CLIENT" && command.word(1) == "SETINFO" && command.len() == 4
}

/// Whether a stream is read with the option `BLOCK`: options stand in any order before `STREAMS`,
/// and two names follow `GROUP`, which may be any words.
fn blocks(command: &Command) -> bool {
    let mut words = command.args().skip(1);
    while let Some(word) = words.next() {
        if says(word, "BLOCK") {
            return true;
        } else if says(word, "STREAMS") {
            return false;
        } else if says(word, "GROUP") {
            words.nth(1);
        }
    }
    false
}

/// Whether Redis takes `argument` for `word`: in either case, and some versions and commands look
/// no further than to a zero byte.
fn says(argument: &[u8], word: &str) -> bool {
    let text = argument.split(|byte| *byte == 0).next().unwrap_or_default();
    text.eq_ignore_ascii_case(word.as_bytes())
}

/// An error of Redis as Upstash would say it: only the unknown command differs.
pub(super) fn in_upstash_words(error: &[u8], command: &Command) -> Option<String> {
    error
        .starts_with(b"ERR unknown command")
        .then(|| Refusal::not_available(&command.name()).message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refusal(words: &str) -> Option<String> {
        supported(&words.split(' ').collect()).err().map(|refusal| refusal.message)
    }

    #[test]
    fn refuses_what_needs_a_connection() {
        for words in [
            "watch k",
            "MULTI",
            "select 1",
            "client kill",
            "BLPOP k 0",
            "xread count 1 block 0 streams k $",
            "XREADGROUP GROUP g c BLOCK 1 STREAMS k >",
            "XREADGROUP GROUP g streams BLOCK 3000 STREAMS k >",
            "XREADGROUP GROUP streams group BLOCK 3000 STREAMS k >",
            "xreadgroup count 1 group g streams noack block 3000 streams k >",
            "XREADGROUP BLOCK 3000 GROUP streams streams STREAMS k >",
            "XREAD COUNT 1 Block\0x 3000 STREAMS k $",
        ] {
            let name = words.split(' ').next().unwrap().to_uppercase();
            let words_of_upstash = format!(
                "ERR Command \"{name}\" is not allowed in REST or it has a special context path"
            );
            assert_eq!(refusal(words), Some(words_of_upstash), "{words}");
        }
    }

    #[test]
    fn lets_everything_else_through() {
        for words in [
            "PING",
            "echo hi",
            "GET multi",
            "xread streams block 0-0",
            "XREAD COUNT 1 STREAMS block streams 0-0 $",
            "XREADGROUP GROUP block c COUNT 1 STREAMS k >",
            "XREADGROUP GROUP g block STREAMS k >",
            "XREADGROUP COUNT 1 GROUP block block NOACK STREAMS block >",
            "XREADGROUP",
            "info",
            "nonsense",
            "script load debug",
            "SCRIPT EXISTS debug",
        ] {
            assert_eq!(refusal(words), None, "{words}");
        }
    }

    #[test]
    fn names_what_is_not_available() {
        let words = refusal("shutdown nosave").unwrap();
        assert!(words.starts_with("ERR Command is not available: 'SHUTDOWN'. See "), "{words}");
        for debug in ["SCRIPT DEBUG YES", "script debug no", "Script Debug\0x SYNC", "SCRIPT DEBUG"]
        {
            let words = refusal(debug).unwrap();
            assert!(words.starts_with("ERR Command is not available: 'SCRIPT DEBUG'. "), "{words}");
        }
    }
}
