//! Every command that the project sends, outside and inside of scripts, and the form of its answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use shared::redis::Value;

use crate::conformance::bench::{Bench, array, text};

pub async fn the_commands_of_the_project(bench: Bench) {
    for (args, value) in cases() {
        let answer = bench.call(args).await;
        assert_eq!(answer.unwrap_or_else(|error| panic!("{args:?}: {error}")), value, "{args:?}");
    }
}

/// Commands in the order in which they must run, with their answers.
fn cases() -> Vec<(&'static [&'static str], Value)> {
    let ok = || text("OK");
    let int = Value::Int;
    let texts = |words: &[&str]| array(words.iter().map(|word| text(word)));
    vec![
        (&["PING"], text("PONG")),
        (&["SET", "s", "1", "PX", "60000", "NX"], ok()),
        (&["SET", "s", "2", "NX"], Value::Nil),
        (&["GET", "s"], text("1")),
        (&["GETDEL", "s"], text("1")),
        (&["MSET", "a", "1", "b", "2"], ok()),
        (&["MGET", "a", "b", "c"], array([text("1"), text("2"), Value::Nil])),
        (&["EXISTS", "a", "b", "c", "a"], int(3)),
        (&["INCR", "a"], int(2)),
        (&["INCRBY", "a", "5"], int(7)),
        (&["DECRBY", "a", "3"], int(4)),
        (&["EXPIRE", "a", "60"], int(1)),
        (&["PEXPIRE", "a", "60000"], int(1)),
        (&["PERSIST", "a"], int(1)),
        (&["PTTL", "a"], int(-1)),
        (&["TTL", "c"], int(-2)),
        (&["DEL", "a", "c"], int(1)),
        (&["UNLINK", "b"], int(1)),
        (&["TYPE", "b"], text("none")),
        (&["HSET", "h", "f", "v", "g", "w"], int(2)),
        (&["HSETNX", "h", "f", "x"], int(0)),
        (&["HGET", "h", "f"], text("v")),
        (&["HMGET", "h", "f", "x"], array([text("v"), Value::Nil])),
        (&["HGETALL", "t"], array([])),
        (&["HMGET", "h", "g", "f"], texts(&["w", "v"])),
        (&["HINCRBY", "h", "n", "-3"], int(-3)),
        (&["HEXISTS", "h", "n"], int(1)),
        (&["HDEL", "h", "n", "x"], int(1)),
        (&["HLEN", "h"], int(2)),
        (&["HDEL", "h", "g"], int(1)),
        (&["HKEYS", "h"], texts(&["f"])),
        (&["RPUSH", "l", "1", "2", "3"], int(3)),
        (&["LPUSH", "l", "0"], int(4)),
        (&["LRANGE", "l", "0", "-1"], texts(&["0", "1", "2", "3"])),
        (&["LLEN", "l"], int(4)),
        (&["LREM", "l", "-1", "2"], int(1)),
        (&["LINDEX", "l", "-1"], text("3")),
        (&["LPOS", "l", "3"], int(2)),
        (&["LSET", "l", "1", "1"], ok()),
        (&["LMOVE", "l", "m", "RIGHT", "LEFT"], text("3")),
        (&["RPOPLPUSH", "l", "m"], text("1")),
        (&["RPOP", "m", "2"], texts(&["3", "1"])),
        (&["LPOP", "l"], text("0")),
        (&["LTRIM", "l", "0", "1"], ok()),
        (&["SADD", "t", "x", "y"], int(2)),
        (&["SREM", "t", "y"], int(1)),
        (&["SMEMBERS", "t"], texts(&["x"])),
        (&["SCARD", "t"], int(1)),
        (&["SISMEMBER", "t", "x"], int(1)),
        (&["RENAME", "t", "u"], ok()),
        (&["RENAME", "u", "t"], ok()),
        (&["ZADD", "z", "1", "one", "4.25", "big", "3", "three"], int(3)),
        (&["ZSCORE", "z", "big"], text("4.25")),
        (&["ZMSCORE", "z", "big", "none"], array([text("4.25"), Value::Nil])),
        (&["ZCARD", "z"], int(3)),
        (&["ZCOUNT", "z", "2", "+inf"], int(2)),
        (&["ZRANGE", "z", "0", "1", "WITHSCORES"], texts(&["one", "1", "three", "3"])),
        (&["ZRANGEBYSCORE", "z", "-inf", "3", "LIMIT", "0", "1"], texts(&["one"])),
        (&["ZREVRANGE", "z", "0", "0", "WITHSCORES"], texts(&["big", "4.25"])),
        (&["ZREVRANK", "z", "big"], int(0)),
        (&["ZREVRANGEBYSCORE", "z", "4", "-inf", "LIMIT", "0", "1"], texts(&["three"])),
        (&["ZREM", "z", "one", "x"], int(1)),
        (&["ZPOPMIN", "z"], texts(&["three", "3"])),
        (&["ZSCAN", "z", "0"], array([text("0"), texts(&["big", "4.25"])])),
        (&["ZREMRANGEBYSCORE", "z", "-inf", "+inf"], int(1)),
        (&["XADD", "x", "MAXLEN", "~", "100", "5-1", "event", "added"], text("5-1")),
        (&["XLEN", "x"], int(1)),
        (&["XRANGE", "x", "-", "+"], array([array([text("5-1"), texts(&["event", "added"])])])),
        (
            &["XREVRANGE", "x", "+", "-", "COUNT", "1"],
            array([array([text("5-1"), texts(&["event", "added"])])]),
        ),
        (&["XTRIM", "x", "MAXLEN", "0"], int(1)),
        (&["SCAN", "0", "MATCH", "nothing*", "COUNT", "1000"], array([text("0"), array([])])),
        (&["KEYS", "t*"], texts(&["t"])),
        (&["ECHO", "word"], text("word")),
        (&["PUBLISH", "channel", "message"], int(0)),
        (
            &["EVAL", "return redis.call('TIME')[1] + 0 > 1e9 and cjson.encode({1})", "0"],
            text("[1]"),
        ),
        (&["EVAL", "return 1", "0"], int(1)),
        (&["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"], int(1)),
        (&["INFO", "of-no-section"], text("")),
        (&["DBSIZE"], int(3)),
        (&["FLUSHDB"], ok()),
    ]
}

/// What stands between quotes after `call` in the files of a folder whose names end so; tests are not
/// looked into.
fn called(folder: &Path, end: &str, calls: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.append(&mut called(&path, end, calls));
        } else if path.to_str().unwrap().ends_with(end) {
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            let after = calls.iter().flat_map(|call| source.split(call).skip(1));
            let words = after.filter_map(|rest| rest.split(['"', '\'']).next());
            names.extend(words.map(str::to_ascii_uppercase));
            names.extend(named_by_a_variable(source));
        }
    }
    names
}

/// Where a source names a command by a variable, the name is among its words in capitals; those that are
/// something else are listed.
fn named_by_a_variable(source: &str) -> BTreeSet<String> {
    const OTHERS: [&str; 3] = ["WITHSCORES", "JSON", "WARN"];
    let literal = |rest: &str| rest.trim_start().starts_with('"');
    if source.split("Command::new(").skip(1).all(literal) {
        return BTreeSet::new();
    }
    let capitals = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase());
    let words = source.split('"').filter(capitals).filter(|word| !OTHERS.contains(word));
    words.map(str::to_owned).collect()
}

/// What comes before a command's name in the scripts.
const LUA: [&str; 8] =
    ["run('", "try('", "readAny('", "many('", "run, '", "many, '", "placeInList('", "redis.call('"];

#[test]
fn every_command_of_the_sources_is_among_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sent = called(&root.join("shared"), ".rs", &["Command::new(\""]);
    sent.append(&mut called(&root.join("functions"), ".rs", &["Command::new(\""]));
    sent.append(&mut called(&root.join("shared/queue/src/script/lua"), ".lua", &LUA));
    assert!(sent.len() > 40, "{sent:?}");
    // Some of which only tables name.
    for name in ["ZCARD", "ZSCORE", "LPOS", "ZREVRANGE"] {
        assert!(sent.contains(name), "{name} is not in {sent:?}");
    }
    // REST has neither: both are sent over TCP alone, and have their own tests.
    sent.remove("BZPOPMIN");
    sent.remove("CONFIG");
    let tried: BTreeSet<String> = cases().iter().map(|(args, _)| args[0].to_owned()).collect();
    let missing: Vec<_> = sent.difference(&tried).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
