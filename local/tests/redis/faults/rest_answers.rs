//! What the REST transport sends, and what it makes of every answer.

use shared::redis::{ErrorKind, Retry, Script, Usage, Value};

use crate::faults::client::{ONE, get, html, incr, ok, start, status};

#[tokio::test]
async fn a_request_has_the_form_of_the_api() {
    let (server, redis) = start([
        ok(r#"{"result":"dmFsdWU="}"#),
        ok(r#"[{"result":"OK"},{"error":"WRONGTYPE no"},{"result":null}]"#),
        ok(r#"[{"result":[1,["AP8=",null],9007199254740993]}]"#),
    ])
    .await;
    assert_eq!(redis.call(get()).await.unwrap(), Value::Bytes(b"value".to_vec()));
    let answers = redis.pipeline(vec![incr(), incr(), get()]).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap(), &Value::Bytes(b"OK".to_vec()));
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Server("WRONGTYPE".into()));
    assert_eq!(error.to_string(), "pipeline item 1, INCR on key \"n\": WRONGTYPE no");
    assert_eq!(answers[2].as_ref().unwrap(), &Value::Nil);
    let answers = redis.transaction(vec![get()]).await.unwrap();
    let nested = Value::Array(vec![Value::Bytes(vec![0, 255]), Value::Nil]);
    let expected = Value::Array(vec![Value::Int(1), nested, Value::Int(9_007_199_254_740_993)]);
    assert_eq!(answers[0].as_ref().unwrap(), &expected);
    assert_eq!(redis.usage(), Usage { billed: 1 + 3 + 3, round_trips: 3 });

    let seen = server.seen();
    for (seen, path, body) in [
        (&seen[0], "POST / ", r#"["GET","k"]"#),
        (&seen[1], "POST /pipeline ", r#"[["INCR","n"],["INCR","n"],["GET","k"]]"#),
        (&seen[2], "POST /multi-exec ", r#"[["GET","k"]]"#),
    ] {
        assert!(seen.text.starts_with(path), "{seen:?}");
        assert!(seen.text.ends_with(&format!("\r\n\r\n{body}")), "{seen:?}");
        assert!(seen.text.contains("authorization: Bearer test-token\r\n"), "{seen:?}");
        assert!(seen.text.contains("upstash-encoding: base64\r\n"), "{seen:?}");
        assert_eq!(seen.connection, 0, "one connection for all");
    }
}

#[tokio::test]
async fn a_used_up_quota_is_final() {
    for text in [
        "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000",
        "ERR max requests limit exceeded. Limit: 500000, Usage: 500000",
        "ERR DB capacity quota exceeded",
    ] {
        for code in [400, 429, 503] {
            let body = format!("{{\"error\":\"{text}\"}}");
            let (server, redis) = start([status(code, &[], &body), ok(ONE)]).await;
            let error = redis.call(get()).await.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (&ErrorKind::Quota, Retry::Never));
            assert_eq!(server.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn refusals_have_their_kinds() {
    let wrongpass = r#"{"error":"WRONGPASS invalid or missing auth token"}"#;
    let noperm = r#"{"error":"NOPERM this user has no permissions to run the 'evalsha' command"}"#;
    for (reaction, kind, words) in [
        (status(401, &[], wrongpass), ErrorKind::Authorization, "Check the token"),
        (html(401), ErrorKind::Authorization, "check the REST token"),
        (html(403), ErrorKind::Authorization, "HTTP 403"),
        (status(400, &[], noperm), ErrorKind::Authorization, "read-only token"),
        (html(404), ErrorKind::Configuration, "check the REST URL"),
        (status(301, &["Location: /x"], ""), ErrorKind::Configuration, "HTTP 301"),
        (html(405), ErrorKind::Configuration, "HTTP 405"),
        (html(413), ErrorKind::Unsendable, "send less at once"),
        (html(400), ErrorKind::Protocol, "HTTP 400"),
        (ok("[]"), ErrorKind::Protocol, "not of Upstash's form"),
        (ok(r#"{"result":1.5}"#), ErrorKind::Protocol, "not of Upstash's form"),
        (ok(r#"{"result":"not base64"}"#), ErrorKind::Protocol, "Upstash-Encoding"),
        (ok(r#"{"result":[1,"ERR no"]}"#), ErrorKind::Protocol, "an error stands inside an array"),
        (
            status(400, &[], r#"{"error":"ERR syntax error"}"#),
            ErrorKind::Server("ERR".into()),
            "ERR syntax error",
        ),
    ] {
        let (server, redis) = start([reaction, ok(ONE)]).await;
        let error = redis.call(get()).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (&kind, Retry::Never), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_discarded_transaction_is_one_error() {
    let body = r#"{"error":"EXECABORT Transaction discarded because of previous errors."}"#;
    for reaction in [ok(body), status(400, &[], body)] {
        let (_server, redis) = start([reaction]).await;
        let error = redis.transaction(vec![incr(), incr()]).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Server("EXECABORT".into()));
    }
}

#[tokio::test]
async fn too_few_answers_are_noticed() {
    let (_server, redis) = start([ok(r#"[{"result":1}]"#)]).await;
    let error = redis.pipeline(vec![incr(), incr()]).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Protocol);
}

#[tokio::test]
async fn an_unknown_script_is_sent_with_its_source() {
    let script = Script { name: "one", source: "return {0, 'x'}", replay_safe: true };
    let noscript = r#"{"error":"NOSCRIPT No matching script. Please use EVAL."}"#;
    let (server, redis) = start([status(400, &[], noscript), ok(r#"{"result":[3,"eA=="]}"#)]).await;
    let answer = redis.run(&script, &["k".into()], vec![b"a".to_vec()]).await.unwrap();
    assert_eq!(answer, [Value::Bytes(b"x".to_vec())]);
    let seen = server.seen();
    assert!(seen[0].text.contains(r#"["EVALSHA","#), "{seen:?}");
    assert!(seen[1].text.ends_with(r#"["EVAL","return {0, 'x'}","1","k","a"]"#), "{seen:?}");
    assert_eq!(redis.usage(), Usage { billed: 2 + 3, round_trips: 2 });
}
