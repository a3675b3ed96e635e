//! Answers are exactly what Redis holds.

use shared::redis::{Command, Value};

use crate::conformance::bench::{Bench, array, text};

pub async fn strings_have_any_bytes(bench: Bench) {
    let all = "local t = {} for i = 0, 255 do t[i + 1] = string.char(i) end \
               redis.call('SET', KEYS[1], table.concat(t)) return redis.call('GET', KEYS[1])";
    let bytes = Value::Bytes((0..=255).collect());
    assert_eq!(bench.call(&["EVAL", all, "1", "bytes"]).await.unwrap(), bytes);
    assert_eq!(bench.call(&["GET", "bytes"]).await.unwrap(), bytes);
    assert_eq!(bench.call(&["STRLEN", "bytes"]).await.unwrap(), Value::Int(256));
    for written in [
        "",
        "OK",
        "T0s=",
        "null",
        "1",
        "9007199254740993",
        r#"{"result":[1,2,{"error":"ERR"}]}"#,
        "\"\\\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}",
        "é€😀\u{10ffff}\u{fffd}\u{feff}\u{2028}",
        "\r\n$-1\r\n",
    ] {
        assert_eq!(bench.call(&["SET", "k", written]).await.unwrap(), text("OK"));
        assert_eq!(bench.call(&["GET", "k"]).await.unwrap(), text(written), "{written:?}");
        assert_eq!(bench.call(&["SET", written, "v"]).await.unwrap(), text("OK"));
        assert_eq!(bench.call(&["GET", written]).await.unwrap(), text("v"), "{written:?}");
    }
    assert_eq!(bench.call(&["PING"]).await.unwrap(), text("PONG"));
    assert_eq!(bench.call(&["TYPE", "k"]).await.unwrap(), text("string"));
}

pub async fn integers_are_exact(bench: Bench) {
    for n in [0, -1, 9_007_199_254_740_993, -9_007_199_254_740_993, i64::MAX, i64::MIN] {
        bench.call(&["SET", "n", &n.to_string()]).await.unwrap();
        assert_eq!(bench.call(&["INCRBY", "n", "0"]).await.unwrap(), Value::Int(n));
        assert_eq!(bench.call(&["GET", "n"]).await.unwrap(), text(&n.to_string()));
    }
}

pub async fn nothing_is_nil(bench: Bench) {
    bench.call(&["SET", "there", "x"]).await.unwrap();
    for args in [
        &["GET", "missing"][..],
        &["LPOP", "missing"],
        &["LPOP", "missing", "2"],
        &["ZSCORE", "missing", "m"],
        &["SET", "there", "y", "NX"],
        &["EVAL", "return false", "0"],
        &["EVAL", "return nil", "0"],
    ] {
        assert_eq!(bench.call(args).await.unwrap(), Value::Nil, "{args:?}");
    }
    let some = bench.call(&["MGET", "missing", "there"]).await.unwrap();
    assert_eq!(some, array([Value::Nil, text("x")]));
    for args in [
        &["LRANGE", "missing", "0", "-1"][..],
        &["HGETALL", "missing"],
        &["EVAL", "return {}", "0"],
    ] {
        assert_eq!(bench.call(args).await.unwrap(), array([]), "{args:?}");
    }
}

pub async fn arrays_are_nested(bench: Bench) {
    let script = "return {1, {2, {3, {}}, false, 'x'}, redis.status_reply('FINE'), ''}";
    let inner = array([Value::Int(2), array([Value::Int(3), array([])]), Value::Nil, text("x")]);
    let expected = array([Value::Int(1), inner, text("FINE"), text("")]);
    assert_eq!(bench.call(&["EVAL", script, "0"]).await.unwrap(), expected);
    let deep = "local t = {'end'} for _ = 1, 50 do t = {t} end return t";
    let mut value = bench.call(&["EVAL", deep, "0"]).await.unwrap();
    for _ in 0..51 {
        value = value.as_array().unwrap()[0].clone();
    }
    assert_eq!(value, text("end"));
}

pub async fn a_writer_reads_its_writes(bench: Bench) {
    for n in 0..100_i64 {
        let other = bench.redis.metered();
        let set = Command::new("SET").arg("k").arg(n.to_string());
        if n % 2 == 0 {
            other.call(set).await.unwrap();
        } else {
            other.transaction(vec![set]).await.unwrap();
        }
        assert_eq!(bench.call(&["GET", "k"]).await.unwrap(), text(&n.to_string()));
    }
}
