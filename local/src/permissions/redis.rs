//! A user of Redis for each function, as the rules of ACL SETUSER.

use std::collections::BTreeSet;

use shared::queue::script_commands;

use super::Function;

/// The scripts that a function runs, whose commands it must be allowed.
fn scripts(function: Function) -> &'static [&'static str] {
    match function {
        Function::Api => &["enqueue", "failures", "held", "page", "settle"],
        Function::Drain | Function::Worker => {
            &["claim", "settle", "recover", "renew", "held", "next-iteration", "dead-schedules"]
        }
        Function::Cron => &["enqueue"],
    }
}

/// The commands that a function sends by itself.
pub fn sent(function: Function) -> BTreeSet<&'static str> {
    let looking = ["HGET", "LINDEX", "LLEN", "LRANGE", "ZCARD", "ZRANGE"];
    let spending = ["EXPIRE", "GET", "INCRBY"];
    let of_its_own: &[&str] = match function {
        Function::Api => &[
            "EXISTS",
            "HGETALL",
            "HMGET",
            "INCR",
            "LPOS",
            "MGET",
            "PING",
            "PTTL",
            "SET",
            "XREVRANGE",
            "ZCOUNT",
            "ZREVRANK",
            "ZSCORE",
        ],
        Function::Drain => &["EXISTS", "HGETALL", "SET", "XADD", "ZRANGEBYSCORE", "ZSCORE"],
        Function::Worker => &[
            "BZPOPMIN",
            "CLIENT|SETNAME",
            "EXISTS",
            "HGETALL",
            "INFO",
            "PING",
            "SET",
            "XADD",
            "ZADD",
            "ZRANGEBYSCORE",
            "ZSCORE",
        ],
        Function::Cron => &["DEL", "EXISTS", "MGET", "SET", "ZCARD"],
    };
    let looking: &[&str] = if function == Function::Cron { &[] } else { &looking };
    let every = ["EVAL", "EVALSHA", "EXEC", "MULTI"];
    [of_its_own, looking, &spending, &every].concat().into_iter().collect()
}

/// All commands that a function runs, those inside its scripts included.
pub fn commands(function: Function) -> BTreeSet<&'static str> {
    let of_scripts = script_commands().filter(|(name, _)| {
        scripts(function).iter().any(|script| name.strip_prefix("batchmq:") == Some(script))
    });
    of_scripts.flat_map(|(_, commands)| commands).chain(sent(function)).collect()
}

/// What the API runs more where `API_QUEUE_OPERATIONS` is set.
pub fn operating() -> BTreeSet<&'static str> {
    let scripts = ["pause", "resume", "retry-by-reason", "move-to-wait", "promote"];
    let of_scripts = script_commands().filter(|(name, _)| {
        name.strip_prefix("batchmq:").is_some_and(|name| scripts.contains(&name))
    });
    // It sends the last three to set a limit and to wake who sleeps over it.
    let all = of_scripts.flat_map(|(_, commands)| commands).chain(["HDEL", "HSET", "ZADD"]);
    let known = commands(Function::Api);
    all.filter(|command| !known.contains(command)).collect()
}

/// The command that allows the API's user to operate the queue.
pub fn operator_line() -> String {
    let more: Vec<String> =
        operating().iter().map(|command| format!("+{}", command.to_lowercase())).collect();
    format!("ACL SETUSER deo-{} {}", Function::Api, more.join(" "))
}

/// The rules of a user for `function`, for the queues of these names under `prefix`.
pub fn rules<'a>(
    function: Function,
    prefix: &str,
    queues: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut rules = String::from("resetchannels");
    for queue in queues {
        rules.push_str(&format!(" ~{prefix}:{queue}:*"));
        // What earlier versions kept there is looked for still.
        match function {
            Function::Api => rules.push_str(&format!(" %R~{prefix}::deo:{queue}:*")),
            Function::Cron => rules.push_str(&format!(" ~{prefix}::deo:{queue}:*")),
            Function::Drain | Function::Worker => {}
        }
    }
    for command in commands(function) {
        rules.push_str(&format!(" +{}", command.to_lowercase()));
    }
    rules
}

/// The whole command that makes a user for `function`.
pub fn line<'a>(
    function: Function,
    prefix: &str,
    queues: impl IntoIterator<Item = &'a str>,
) -> String {
    let rules = rules(function, prefix, queues);
    format!("ACL SETUSER deo-{function} reset on >PASSWORD {rules}")
}
