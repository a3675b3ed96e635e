//! What the error texts of Redis and Upstash mean: the one place where they are told apart.

use crate::error::{ErrorKind, Retry};

/// What is wrong with a server that refuses a command, as far as its caller can act on it.
///
/// ```
/// use batchmq_redis::{Condition, ErrorKind};
///
/// let full = ErrorKind::Server("OOM".to_owned());
/// assert_eq!(full.condition(), Some(Condition::Full));
/// assert_eq!(ErrorKind::Unavailable.condition(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It holds as much as it may, or a quota of its plan is used up.
    Full,
    /// It takes no writes: a replica, or a server that cannot save or replicate them.
    ReadOnly,
    /// The key holds a value of another type: somebody else's, most often.
    WrongType,
    /// The user or the token may not do this, or is not let in.
    NoPermission,
}

impl ErrorKind {
    /// Returns what is wrong with the server, where it has refused a command for a reason of its own.
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::Quota => Some(Condition::Full),
            Self::Authorization => Some(Condition::NoPermission),
            Self::Server(code) => match code.as_str() {
                "OOM" => Some(Condition::Full),
                "READONLY" | "MISCONF" | "NOREPLICAS" => Some(Condition::ReadOnly),
                "WRONGTYPE" => Some(Condition::WrongType),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Codes of a server that is not the one to ask, or not any more: a replica, one that is starting, a node
/// without the key's slot, and what a blocked client hears when its server is demoted. It has executed
/// nothing, and the name that led to it may lead elsewhere by now.
const ELSEWHERE: [&str; 5] = ["READONLY", "LOADING", "MASTERDOWN", "MOVED", "UNBLOCKED"];

/// Codes of a server that refuses every command for now, and has executed nothing.
const PASSING: [&str; 4] = ["BUSY", "TRYAGAIN", "CLUSTERDOWN", "ASK"];

/// Whether another connection, opened by the server's name, may lead to a server that does what this one
/// refuses.
pub(crate) fn is_elsewhere(line: &str) -> bool {
    matches!(kind_of(line), ErrorKind::Server(code) if ELSEWHERE.contains(&code.as_str()))
}

/// Whether nothing of a command that was answered with this code has been executed, and a later try may work.
pub(crate) fn has_executed_nothing(code: &str) -> bool {
    ELSEWHERE.contains(&code) || PASSING.contains(&code)
}

/// What may be done after an error of this kind that the server answered.
pub(crate) fn retry_of(kind: &ErrorKind) -> Retry {
    match kind {
        // A new connection is opened: see `tcp`.
        ErrorKind::Server(code) if ELSEWHERE.contains(&code.as_str()) => Retry::Now,
        ErrorKind::Server(code) if PASSING.contains(&code.as_str()) => Retry::After(None),
        ErrorKind::Unavailable | ErrorKind::RateLimited => Retry::After(None),
        _ => Retry::Never,
    }
}

/// Whether it is the refusal of a cluster's node, which has not all keys of the request.
pub(crate) fn is_of_cluster(line: &str) -> bool {
    let codes = ["MOVED", "ASK", "CROSSSLOT"];
    let within = ["do not hash to the same slot", "access a non local key"];
    matches!(kind_of(line), ErrorKind::Server(code) if codes.contains(&code.as_str()))
        || within.iter().any(|words| line.contains(words))
}

/// What kind of error a text of Redis or Upstash (`CODE sentence`) is.
pub(crate) fn kind_of(line: &str) -> ErrorKind {
    const QUOTAS: [&str; 3] = [
        "max daily request limit exceeded",
        "max requests limit exceeded",
        "DB capacity quota exceeded",
    ];
    if QUOTAS.iter().any(|quota| line.contains(quota)) {
        return ErrorKind::Quota;
    }
    if line.contains("max request size exceeded") {
        return ErrorKind::Unsendable;
    }
    if line.contains("max number of clients reached") {
        return ErrorKind::Unavailable;
    }
    match code_of(line).or_else(|| code_of(within_script(line)?)) {
        Some("WRONGPASS" | "NOAUTH" | "NOPERM") => ErrorKind::Authorization,
        Some(code) => ErrorKind::Server(code.to_owned()),
        None => ErrorKind::Server("ERR".to_owned()),
    }
}

/// The code that a text begins with, unless it is the one that says nothing.
fn code_of(line: &str) -> Option<&str> {
    let code = line.split(' ').next().unwrap_or_default();
    let is_code = !code.is_empty() && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    (is_code && code != "ERR").then_some(code)
}

/// The refusal of a command inside a script, as servers before Redis 7 tell it:
/// `ERR Error running script (call to f_…): @user_script:3: @user_script: 3: -READONLY You can't write …`, and without
/// what stands before the places, or without the dash, where the script had caught it.
fn within_script(line: &str) -> Option<&str> {
    let told = line.strip_prefix("ERR Error running script (call to ");
    let told = told.and_then(|rest| Some(rest.split_once("): ")?.1)).unwrap_or(line);
    let mut refusal = without_place(told)?;
    while let Some(rest) = without_place(refusal) {
        refusal = rest;
    }
    Some(refusal.strip_prefix('-').unwrap_or(refusal))
}

/// What stands behind the place at which Lua says that something happened.
fn without_place(text: &str) -> Option<&str> {
    let places = ["@user_script:", "user_script:", "=[C]:"];
    let line = places.iter().find_map(|place| text.strip_prefix(place))?.trim_start();
    let rest = line.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
    Some(rest.strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: &str) -> ErrorKind {
        ErrorKind::Server(code.to_owned())
    }

    #[test]
    fn texts_of_the_server_have_kinds() {
        for (line, kind, retry) in [
            ("WRONGTYPE Operation against a key", server("WRONGTYPE"), Retry::Never),
            ("ERR syntax error", server("ERR"), Retry::Never),
            ("OOM command not allowed", server("OOM"), Retry::Never),
            ("Command is not available: 'WATCH'", server("ERR"), Retry::Never),
            ("", server("ERR"), Retry::Never),
            ("LOADING Redis is loading the dataset", server("LOADING"), Retry::Now),
            ("READONLY You can't write against", server("READONLY"), Retry::Now),
            ("MASTERDOWN Link with MASTER is down", server("MASTERDOWN"), Retry::Now),
            ("MOVED 3999 127.0.0.1:6381", server("MOVED"), Retry::Now),
            ("UNBLOCKED force unblock from", server("UNBLOCKED"), Retry::Now),
            ("CROSSSLOT Keys in request", server("CROSSSLOT"), Retry::Never),
            ("BUSY Redis is busy running a script", server("BUSY"), Retry::After(None)),
            ("WRONGPASS invalid or missing auth token", ErrorKind::Authorization, Retry::Never),
            ("NOPERM this user has no permissions", ErrorKind::Authorization, Retry::Never),
            ("ERR max daily request limit exceeded. Limit: 10000", ErrorKind::Quota, Retry::Never),
            ("ERR max requests limit exceeded. Limit: 500000", ErrorKind::Quota, Retry::Never),
            ("ERR DB capacity quota exceeded", ErrorKind::Quota, Retry::Never),
            ("ERR max request size exceeded", ErrorKind::Unsendable, Retry::Never),
            ("ERR max number of clients reached", ErrorKind::Unavailable, Retry::After(None)),
        ] {
            assert_eq!(kind_of(line), kind, "{line}");
            assert_eq!(retry_of(&kind), retry, "{line}");
        }
    }

    #[test]
    fn a_refusal_inside_a_script_is_found_where_earlier_servers_put_it() {
        let call = "ERR Error running script (call to f_0123456789abcdef): @user_script:";
        for (rest, kind) in [
            ("1: @user_script: 1: -READONLY You can't write", server("READONLY")),
            ("3: -OOM command not allowed when used memory > 'maxmemory'.", server("OOM")),
            ("3: OOM command not allowed when used memory > 'maxmemory'.", server("OOM")),
            ("3: @user_script: 3: WRONGTYPE Operation against", server("WRONGTYPE")),
            ("3: @user_script: 3: NOPERM this user has no", ErrorKind::Authorization),
            ("3: attempt to index a nil value", server("ERR")),
            ("3: user said OOM or -READONLY", server("ERR")),
            ("x", server("ERR")),
        ] {
            assert_eq!(kind_of(&format!("{call}{rest}")), kind, "{rest}");
        }
        for line in [
            "=[C]: -1: -READONLY You can't write",
            "ERR Error running script (call to f_0123): =[C]: -1: -READONLY You can't write",
            "ERR Error running script (call to f_0123): @user_script:7: =[C]: -1: -READONLY x",
            "@user_script: 12: READONLY x",
        ] {
            assert_eq!(kind_of(line), server("READONLY"), "{line}");
        }
        assert_eq!(kind_of("ERR value is @user_script: 1: -READONLY"), server("ERR"));
    }

    #[test]
    fn what_is_wrong_with_a_server_is_told_apart() {
        for (line, condition) in [
            ("OOM command not allowed", Some(Condition::Full)),
            ("ERR max requests limit exceeded. Limit: 500000", Some(Condition::Full)),
            ("ERR DB capacity quota exceeded", Some(Condition::Full)),
            ("READONLY You can't write against", Some(Condition::ReadOnly)),
            ("MISCONF Redis is configured to save", Some(Condition::ReadOnly)),
            ("NOREPLICAS Not enough good replicas", Some(Condition::ReadOnly)),
            ("WRONGTYPE Operation against", Some(Condition::WrongType)),
            ("NOPERM this user has no", Some(Condition::NoPermission)),
            ("WRONGPASS invalid", Some(Condition::NoPermission)),
            ("LOADING Redis is loading", None),
            ("MOVED 1 h:1", None),
            ("ERR syntax error", None),
        ] {
            assert_eq!(kind_of(line).condition(), condition, "{line}");
        }
    }

    #[test]
    fn a_cluster_s_refusals_are_known_also_from_inside_a_script() {
        for line in [
            "MOVED 3999 127.0.0.1:6381",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR Script attempted to access keys that do not hash to the same slot script: f, on @user_script:1.",
            "ERR Script attempted to access a non local key in a cluster node",
        ] {
            assert!(is_of_cluster(line), "{line}");
        }
        // What passes by itself has no such remedy.
        for line in
            ["ERR syntax error", "READONLY no", "CLUSTERDOWN The cluster is down", "TRYAGAIN x"]
        {
            assert!(!is_of_cluster(line), "{line}");
        }
    }

    #[test]
    fn only_what_has_executed_nothing_leads_elsewhere() {
        for line in ["READONLY no", "LOADING", "MASTERDOWN x", "MOVED 1 h:1", "UNBLOCKED x"] {
            assert!(is_elsewhere(line), "{line}");
        }
        for line in ["OOM x", "MISCONF x", "BUSY x", "ERR READONLY", "EXECABORT x", ""] {
            assert!(!is_elsewhere(line), "{line}");
        }
    }
}
