//! The table: an exchange for every sentence about requests and answers.

use serde_json::json;

use crate::exchange::{Exchange, command, pipeline, request, transaction};

const UNAVAILABLE_SHUTDOWN: &str = "ERR Command is not available: 'SHUTDOWN'. See \
     https://upstash.com/docs/redis/overall/rediscompatibility for details";
const UNAVAILABLE_NOSUCH: &str = "ERR Command is not available: 'NOSUCH'. See \
     https://upstash.com/docs/redis/overall/rediscompatibility for details";

/// All exchanges, in the order in which they must run.
pub(crate) fn all() -> Vec<Exchange> {
    [bodies(), paths(), access(), results(), errors(), batches(), base64(), resp2(), refused()]
        .into_iter()
        .flatten()
        .collect()
}

/// `POST /` with a JSON array of strings and numbers.
fn bodies() -> Vec<Exchange> {
    vec![
        command(r#"["SET","{p}a","bar"]"#).gives(json!("OK")),
        command(r#"["set","{p}a","bar","EX",100]"#).gives(json!("OK")),
        command(r#"["TTL","{p}a"]"#).gives(json!(100)),
        // Numbers arrive as they were written.
        command(r#"["RPUSH","{p}b",9007199254740993,-1,1.50,1e5,0.1]"#)
            .gives(json!(5))
            .gateway_only(),
        command(r#"["LRANGE","{p}b",0,-1]"#)
            .gives(json!(["9007199254740993", "-1", "1.50", "1e5", "0.1"]))
            .gateway_only(),
        command(r#"["INCRBY","{p}c",9007199254740993]"#).gives(json!(9_007_199_254_740_993_i64)),
        command(r#"["ECHO","\u00e9\ud83d\ude00\n\"\\\u0000"]"#).gives(json!("é😀\n\"\\\0")),
        command(r#"["ECHO",""]"#).gives(json!("")),
        // JSON cannot carry a byte that is not UTF-8.
        request("POST", "/").body(b"[\"ECHO\",\"a\xffb\"]").gives(json!("a\u{fffd}b")),
        command(r#"["ECHO","\ud800"]"#).gives(json!("\u{fffd}")),
        // The official SDK sends booleans.
        command(r#"["ECHO",true]"#).gives(json!("true")),
        command(r#"["ECHO",null]"#).fails("ERR null args are not supported"),
        command(r#"["ECHO",{"a":1}]"#)
            .fails("ERR unsupported arg type: \"{\": json.Delim")
            .gateway_only(),
        command(r#"[["ECHO","a"]]"#)
            .fails("ERR unsupported arg type: \"[\": json.Delim")
            .gateway_only(),
        command("[]").fails("ERR empty command").gateway_only(),
        command("").status(400),
        command("{}").status(400),
        command("\"ECHO\"").status(400),
        command(r#"["ECHO","a""#).status(400),
        command(r#"["ECHO","a"] x"#).status(400).gateway_only(),
    ]
}

/// The path form.
fn paths() -> Vec<Exchange> {
    vec![
        request("GET", "/set/{p}a/bar").gives(json!("OK")),
        request("GET", "/set/{p}a/baz/EX/100").gives(json!("OK")),
        request("POST", "/GET/{p}a").gives(json!("baz")),
        request("PUT", "/get/{p}a").gives(json!("baz")),
        request("HEAD", "/get/{p}a").bytes(b""),
        request("HEAD", "/nosuch").status(400).bytes(b"").gateway_only(),
        // HEAD executes like GET.
        request("HEAD", "/incr/{p}d").gateway_only(),
        request("GET", "/get/{p}d").gives(json!("1")).gateway_only(),
        // A body is the last argument of the path, and the query follows it.
        request("POST", "/set/{p}a").body("{\"any\": \"text\"}").gives(json!("OK")),
        request("GET", "/get/{p}a").gives(json!("{\"any\": \"text\"}")),
        request("PUT", "/set/{p}a?EX=100").body("value").gives(json!("OK")),
        request("GET", "/get/{p}a").gives(json!("value")),
        request("GET", "/ttl/{p}a").gives(json!(100)),
        request("POST", "/set/{p}a?EX=100&XX").body("again").gives(json!("OK")).gateway_only(),
        request("GET", "/get/{p}a").body("").gives(json!("again")).gateway_only(),
        // Any bytes.
        request("POST", "/set/{p}e").body(b"\xff\x00\xfe\r\n").gives(json!("OK")),
        request("GET", "/get/{p}e").base64().gives(json!("/wD+DQo=")),
        request("GET", "/set/{p}e/a%2Fb%20c%ff%2B+").gives(json!("OK")),
        request("GET", "/get/{p}e").resp2().bytes(b"$8\r\na/b c\xff++\r\n"),
        request("GET", "/echo/%C3%A9").gives(json!("é")),
        request("GET", "/echo/a/").gives(json!("a")).gateway_only(),
        request("GET", "/echo/%zz").status(400),
        request("GET", "/zadd/{p}f/100/team-x/90/team-y").gives(json!(2)),
    ]
}

/// Tokens and methods.
fn access() -> Vec<Exchange> {
    const WRONG: &str = "WRONGPASS invalid or missing auth token";
    let denied = |exchange: Exchange| exchange.fails(WRONG).status(401).gateway_only();
    vec![
        request("GET", "/ping?_token={token}").without_token().gives(json!("PONG")),
        request("POST", "/set/{p}a?_token={token}&EX=50")
            .without_token()
            .body("v")
            .gives(json!("OK")),
        request("GET", "/ttl/{p}a").gives(json!(50)),
        // The token counts beside an escape that is broken, which is then named.
        request("GET", "/get/{p}a?EX=%zz&_token={token}")
            .without_token()
            .fails("ERR invalid URL escape")
            .gateway_only(),
        denied(request("GET", "/get/{p}a?EX=%zz&_token=wrong").without_token()),
        denied(request("GET", "/ping?_token=%zz").without_token()),
        request("GET", "/ping").without_token().status(401),
        denied(request("GET", "/ping").without_token()),
        denied(command(r#"["PING"]"#).without_token().with("Authorization", "Bearer wrong")),
        denied(request("POST", "/pipeline").without_token().with("Authorization", "Basic {token}")),
        denied(request("GET", "/ping?_token=wrong").without_token()),
        denied(request("GET", "/ping?_token=").without_token()),
        request("DELETE", "/get/{p}a").status(405).gateway_only(),
        request("PATCH", "/").body(r#"["PING"]"#).status(405).gateway_only(),
        request("OPTIONS", "/").status(405).gateway_only(),
    ]
}

/// Null, integers, strings, nested arrays.
fn results() -> Vec<Exchange> {
    vec![
        command(r#"["GET","{p}nothing"]"#).gives(json!(null)),
        command(r#"["EXISTS","{p}nothing"]"#).gives(json!(0)),
        command(r#"["EVAL","return {1,{'a',{}},false,redis.status_reply('fine')}",0]"#)
            .gives(json!([1, ["a", []], null, "fine"])),
        // Upstash's own flag, and the digest of the script with it.
        command(r##"["SCRIPT","LOAD","#!lua flags=allow-key-locking\nreturn 1"]"##)
            .gives(json!("e7d3065bbe862e0ef8706b37e94e4260d9d3bbc3")),
        command(r#"["EVALSHA","e7d3065bbe862e0ef8706b37e94e4260d9d3bbc3",0]"#).gives(json!(1)),
        command(r#"["SCRIPT","EXISTS","e7d3065bbe862e0ef8706b37e94e4260d9d3bbc3"]"#)
            .gives(json!([1])),
        transaction(r##"[["SCRIPT","LOAD","#!lua flags=allow-key-locking\nreturn 1"]]"##)
            .json(json!([{"result": "e7d3065bbe862e0ef8706b37e94e4260d9d3bbc3"}])),
        command(r#"["LRANGE","{p}nothing",0,-1]"#).gives(json!([])),
        command(r#"["XADD","{p}g","1-1","f","v"]"#).gives(json!("1-1")),
        command(r#"["XRANGE","{p}g","-","+"]"#).gives(json!([["1-1", ["f", "v"]]])),
        command(r#"["PING"]"#).gives(json!("PONG")),
        command(r#"["PING","hello"]"#).gives(json!("hello")),
        command(r#"["ECHO","hello"]"#).gives(json!("hello")),
        command(r#"["TYPE","{p}g"]"#).gives(json!("stream")),
        command(r#"["PUBLISH","{p}channel","m"]"#).gives(json!(0)),
        request("POST", "/publish/{p}channel/m").gives(json!(0)),
        // Without base64 what is not UTF-8 is replaced, byte for byte.
        request("POST", "/set/{p}h").body(b"a\xffb\xe2\x82").gives(json!("OK")),
        command(r#"["GET","{p}h"]"#).gives(json!("a\u{fffd}b\u{fffd}\u{fffd}")).gateway_only(),
        command(r#"["SETBIT","{p}i",0,1]"#).gives(json!(0)),
        command(r#"["GET","{p}i"]"#).gives(json!("\u{fffd}")),
    ]
}

/// 400 for a syntax error, an unknown command and a command that fails.
fn errors() -> Vec<Exchange> {
    vec![
        command(r#"["NOSUCH","arg"]"#).fails(UNAVAILABLE_NOSUCH),
        command(r#"["GET"]"#).fails("ERR wrong number of arguments for 'get' command"),
        command(r#"["LPUSH","{p}a","x"]"#)
            .fails("WRONGTYPE Operation against a key holding the wrong kind of value"),
        command(r#"["SET","{p}a","x","NONSENSE"]"#).fails("ERR syntax error"),
        command(r#"["EVALSHA","0000000000000000000000000000000000000000",0]"#).status(400),
        command(r#"["EVALSHA","0000000000000000000000000000000000000000",0]"#)
            .fails_with_code("NOSCRIPT")
            .gateway_only(),
        request("GET", "/lpush/{p}a/x").status(400),
    ]
}

/// `/pipeline` and `/multi-exec`.
fn batches() -> Vec<Exchange> {
    const BATCH: &str = r#"[["SET","{p}a","v"],["SETEX","{p}b",13,"z"],["INCR","{p}a"],["ZADD","{p}j",1,"x",2,"y"]]"#;
    let answers = || {
        json!([
            {"result": "OK"},
            {"result": "OK"},
            {"error": "ERR value is not an integer or out of range"},
            {"result": 2}
        ])
    };
    vec![
        pipeline(BATCH).json(answers()).gateway_only(),
        command(r#"["DEL","{p}j"]"#),
        transaction(BATCH).json(answers()).gateway_only(),
        // An error while executing rolls nothing back.
        command(r#"["GET","{p}b"]"#).gives(json!("z")).gateway_only(),
        pipeline(r#"[["ECHO","a"],[],["NOSUCH"],["WATCH","k"],["ECHO","b"]]"#)
            .json(json!([
                {"result": "a"},
                {"error": "ERR empty pipeline command"},
                {"error": UNAVAILABLE_NOSUCH},
                {"error": "ERR Command \"WATCH\" is not allowed in REST or it has a special context path"},
                {"result": "b"}
            ]))
            .gateway_only(),
        transaction(r#"[["SET","{p}k","v"],["GET"]]"#)
            .fails("EXECABORT Transaction discarded because of previous errors.")
            .gateway_only(),
        transaction(r#"[["SET","{p}k","v"],["NOSUCH"]]"#).status(400),
        command(r#"["EXISTS","{p}k"]"#).gives(json!(0)),
        pipeline("[]").fails("ERR empty pipeline request").gateway_only(),
        pipeline("").status(400),
        pipeline(r#"["ECHO","a"]"#).status(400),
        pipeline(r#"[["ECHO",null]]"#).status(400),
        transaction("[]").status(400),
        transaction("{}").status(400),
    ]
}

/// `Upstash-Encoding: base64`.
fn base64() -> Vec<Exchange> {
    vec![
        command(r#"["SET","{p}a","bar"]"#).base64().gives(json!("OK")),
        command(r#"["GET","{p}a"]"#).base64().gives(json!("YmFy")),
        command(r#"["ECHO","OK"]"#).base64().gives(json!("T0s=")).gateway_only(),
        command(r#"["GET","{p}h"]"#).base64().gives(json!("Yf9i4oI=")),
        command(r#"["GET","{p}nothing"]"#).base64().gives(json!(null)),
        command(r#"["STRLEN","{p}a"]"#).base64().gives(json!(3)),
        command(r#"["PING"]"#).base64().gives(json!("UE9ORw==")),
        command(r#"["MGET","{p}a","{p}nothing"]"#).base64().gives(json!(["YmFy", null])),
        command(r#"["XRANGE","{p}g","-","+"]"#).base64().gives(json!([["MS0x", ["Zg==", "dg=="]]])),
        command(r#"["LPUSH","{p}a","x"]"#)
            .base64()
            .fails("WRONGTYPE Operation against a key holding the wrong kind of value"),
        pipeline(r#"[["SET","{p}a","bar"],["GET","{p}a"]]"#)
            .base64()
            .json(json!([{"result": "OK"}, {"result": "YmFy"}])),
        transaction(r#"[["SET","{p}a","bar"],["GET","{p}a"]]"#)
            .base64()
            .json(json!([{"result": "OK"}, {"result": "YmFy"}])),
    ]
}

/// `Upstash-Response-Format: resp2`.
fn resp2() -> Vec<Exchange> {
    const RAW: &str = "application/octet-stream";
    let raw = |exchange: Exchange| exchange.resp2().header("content-type", RAW);
    vec![
        raw(request("GET", "/set/{p}a/bar")).bytes(b"+OK\r\n"),
        raw(request("GET", "/get/{p}a")).bytes(b"$3\r\nbar\r\n"),
        raw(request("GET", "/get/{p}nothing")).bytes(b"$-1\r\n"),
        raw(command(r#"["INCRBY","{p}l",9007199254740993]"#)).bytes(b":9007199254740993\r\n"),
        raw(command(r#"["GET","{p}h"]"#)).bytes(b"$5\r\na\xffb\xe2\x82\r\n"),
        raw(command(r#"["MGET","{p}a","{p}nothing"]"#)).bytes(b"*2\r\n$3\r\nbar\r\n$-1\r\n"),
        raw(pipeline(r#"[["GET","{p}a"],["GET"],["STRLEN","{p}a"]]"#))
            .bytes(b"$3\r\nbar\r\n-ERR wrong number of arguments for 'get' command\r\n:3\r\n")
            .gateway_only(),
        raw(command(r#"["GET"]"#))
            .status(400)
            .bytes(b"-ERR wrong number of arguments for 'get' command\r\n")
            .gateway_only(),
        // A transaction is always answered in JSON.
        transaction(r#"[["GET","{p}a"]]"#).resp2().json(json!([{"result": "bar"}])),
        command(r#"["GET","{p}a"]"#).resp2().base64().status(400),
        command(r#"["GET","{p}a"]"#).with("Upstash-Response-Format", "resp3").status(400),
        command(r#"["GET","{p}a"]"#).with("Upstash-Response-Format", "json").gives(json!("bar")),
    ]
}

/// What Upstash does not have over REST.
fn refused() -> Vec<Exchange> {
    macro_rules! not_over_rest {
        ($($name:literal => $json:literal),* $(,)?) => {
            [$(command($json).fails(concat!(
                "ERR Command \"", $name, "\" is not allowed in REST or it has a special context path"
            )).gateway_only()),*]
        };
    }
    let refused = not_over_rest![
        "MULTI" => r#"["MULTI"]"#,
        "EXEC" => r#"["exec"]"#,
        "DISCARD" => r#"["DISCARD"]"#,
        "WATCH" => r#"["WATCH","k"]"#,
        "UNWATCH" => r#"["UNWATCH"]"#,
        "SELECT" => r#"["SELECT",1]"#,
        "AUTH" => r#"["AUTH","x"]"#,
        "HELLO" => r#"["HELLO",3]"#,
        "RESET" => r#"["RESET"]"#,
        "QUIT" => r#"["QUIT"]"#,
        "CLIENT" => r#"["CLIENT","KILL","ID","1"]"#,
        "SUBSCRIBE" => r#"["SUBSCRIBE","c"]"#,
        "MONITOR" => r#"["MONITOR"]"#,
        "BLPOP" => r#"["BLPOP","k",0]"#,
        "BRPOP" => r#"["BRPOP","k",0]"#,
        "BRPOPLPUSH" => r#"["BRPOPLPUSH","k","l",0]"#,
        "BLMOVE" => r#"["BLMOVE","k","l","LEFT","LEFT",0]"#,
        "BZPOPMIN" => r#"["BZPOPMIN","k",0]"#,
        "BZPOPMAX" => r#"["BZPOPMAX","k",0]"#,
        "XREAD" => r#"["XREAD","BLOCK",0,"STREAMS","k","$"]"#,
        "XREADGROUP" => r#"["XREADGROUP","GROUP","g","c","BLOCK",0,"STREAMS","k",">"]"#,
        "WAIT" => r#"["WAIT",0,0]"#,
    ];
    let mut all: Vec<_> = refused.into_iter().collect();
    all.extend([
        command(r#"["SHUTDOWN","NOSAVE"]"#).fails(UNAVAILABLE_SHUTDOWN).gateway_only(),
        command(r#"["XREAD","COUNT",1,"STREAMS","{p}nothing","0"]"#).gives(json!(null)),
        // The official SDK introduces itself.
        command(r#"["CLIENT","SETINFO","LIB-NAME","x"]"#).gives(json!("OK")),
    ]);
    all
}
