//! Requests that are wrong in themselves, and what they leave behind: nothing.

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{World, assert_error, token};

const RECOMPUTE: &str = "/projects/p1/deo-score/recompute";

#[tokio::test]
async fn an_unknown_route_says_what_cannot_be_done() {
    let world = World::start().await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/projects"),
        ("GET", "/projects/p1"),
        ("GET", "/health//"),
        ("GET", "//health"),
        ("GET", "/projects//deo-score"),
        ("POST", "/projects//deo-score/recompute"),
        ("GET", "/jobs//"),
        ("GET", "/fleet//"),
        ("DELETE", "/nothing?a=1&b=%20"),
        ("POST", "/projects/p1/deo-score/recompute/now"),
        ("GET", "/%FF"),
    ] {
        let answer = world.send(method.parse().unwrap(), "", path, &[], "").await;
        let message = format!("Cannot {method} {path}");
        assert_error(&answer, 404, "NotFoundException", &message, path);
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let world = World::start().await;
    for (method, path, allow) in [
        ("GET", RECOMPUTE, "POST"),
        ("PUT", RECOMPUTE, "POST"),
        ("OPTIONS", RECOMPUTE, "POST"),
        ("POST", "/projects/p1/deo-score", "GET,HEAD"),
        ("DELETE", "/projects/p1/deo-score", "GET,HEAD"),
        ("GET", "/deo-score/recompute", "POST"),
        ("PATCH", "/health?deep=1", "GET,HEAD"),
        ("POST", "/openapi.json", "GET,HEAD"),
        ("BREW", "/queue", "GET,HEAD"),
        ("GET", "/deo-score/recompute/", "POST"),
    ] {
        let answer = world.send(method.parse().unwrap(), "", path, &[], "").await;
        let message = format!("Cannot {method} {path}");
        assert_error(&answer, 405, "MethodNotAllowedException", &message, path);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_other_route() {
    let world = World::start().await;
    for (user, method, path, status) in [
        ("", "GET", "/health/", 200),
        ("", "GET", "/openapi.json/", 200),
        ("owner", "POST", "/projects/p1/deo-score/recompute/", 201),
        ("owner", "POST", "/projects/p1/deo-score/recompute-sync/", 201),
        ("owner", "GET", "/projects/p1/deo-score/", 200),
        ("owner", "GET", "/projects/p1/deo-score/history/?limit=1", 200),
        ("owner", "GET", "/projects/p1/deo-score/series/", 200),
        ("owner", "GET", "/projects/p1/deo-signals/debug/", 200),
        ("owner", "GET", "/jobs/1/", 200),
        ("admin", "GET", "/queue/", 200),
        ("admin", "GET", "/fleet/", 200),
        ("admin", "GET", "/fleet/stale/?limit=1", 200),
    ] {
        let answer = world.send(method.parse().unwrap(), user, path, &[], "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
    let series = world.get("owner", "/projects/p1/deo-score/series/").await.json();
    assert!(series["points"].is_array(), "{series}");
    // The error names what was asked for.
    let path = "/projects/nope/deo-score/compare/?to=s1";
    let answer = world.get("owner", path).await;
    assert_error(&answer, 404, "NotFoundException", "Project not found", path);
}

#[tokio::test]
async fn a_bad_request_is_refused_and_touches_nothing() {
    let world = World::start().await;
    let id = "The id in the path must be 1 to 191 characters of UTF-8 without NUL";
    let json = "The body is not valid JSON";
    let one = "The body must be empty or an object whose reason, if any, is manual, scheduled or \
               after_import";
    let many = "The body must be an object with projectIds, 1 to 1000 ids of 1 to 191 characters, \
                and a reason, if any, that is manual, scheduled or after_import";
    let delay = "delayMs must be a whole number from 0 to 2592000000";
    let dedup = "deduplication must be an object with ttlMs, a whole number from 1 to 2592000000, \
                 extend, which is true only beside ttlMs, and replace; each may be left out";
    let limit = "limit must be a number from 1 to 100";
    let before = "before must be the nextBefore of an earlier page, or a time such as \
                  2026-01-31T12:00:00.000Z";
    let twice = "A query parameter was given more than once";
    let long = "x".repeat(192);
    let too_many = serde_json::json!({"projectIds": vec!["p1"; 1001]}).to_string();
    let too_long = serde_json::json!({"projectIds": ["p1", long]}).to_string();
    let bulk = "/deo-score/recompute";
    let history = "/projects/p1/deo-score/history";
    let (series, compare) = ("/projects/p1/deo-score/series", "/projects/p1/deo-score/compare");
    let points = "points must be a number from 4 to 400";
    let span = "from and to must be times such as 2026-01-31 or 2026-01-31T12:00:00.000Z";
    let places = "from and to must be ids of snapshots, or times such as 2026-01-31 or \
                  2026-01-31T12:00:00.000Z";
    let cases = [
        ("POST", format!("/projects/{long}/deo-score/recompute"), "", id),
        ("POST", "/projects/%00/deo-score/recompute".to_owned(), "", id),
        ("POST", "/projects/%ff/deo-score/recompute".to_owned(), "", id),
        ("GET", format!("/projects/{long}/deo-score"), "", id),
        ("GET", "/projects/a%00b/deo-score".to_owned(), "", id),
        ("GET", format!("/projects/{long}/deo-score/history"), "", id),
        ("GET", format!("/projects/{long}/deo-signals/debug"), "", id),
        ("GET", format!("/jobs/{long}"), "", id),
        ("GET", "/jobs/%00".to_owned(), "", id),
        ("POST", RECOMPUTE.to_owned(), "{", json),
        ("POST", RECOMPUTE.to_owned(), "reason=manual", json),
        ("POST", RECOMPUTE.to_owned(), r#"{"reason": "manual"} {}"#, json),
        ("POST", RECOMPUTE.to_owned(), "[]", one),
        ("POST", RECOMPUTE.to_owned(), r#"["manual"]"#, one),
        ("POST", RECOMPUTE.to_owned(), "null", one),
        ("POST", RECOMPUTE.to_owned(), r#"{"reason": "because"}"#, one),
        ("POST", RECOMPUTE.to_owned(), r#"{"reason": 1}"#, one),
        ("POST", RECOMPUTE.to_owned(), r#"{"reason": "manual", "reason": "manual"}"#, one),
        ("POST", RECOMPUTE.to_owned(), r#"{"delayMs": -1}"#, delay),
        ("POST", RECOMPUTE.to_owned(), r#"{"delayMs": 1.5}"#, delay),
        ("POST", RECOMPUTE.to_owned(), r#"{"delayMs": "10m"}"#, delay),
        ("POST", RECOMPUTE.to_owned(), r#"{"delayMs": 2592000001}"#, delay),
        ("POST", RECOMPUTE.to_owned(), r#"{"deduplication": 5}"#, dedup),
        ("POST", RECOMPUTE.to_owned(), r#"{"deduplication": [1, true, true]}"#, dedup),
        ("POST", RECOMPUTE.to_owned(), r#"{"deduplication": {"ttlMs": 0}}"#, dedup),
        ("POST", RECOMPUTE.to_owned(), r#"{"deduplication": {"ttlMs": 2592000001}}"#, dedup),
        ("POST", RECOMPUTE.to_owned(), r#"{"deduplication": {"extend": true}}"#, dedup),
        ("POST", RECOMPUTE.to_owned(), r#"{"deduplication": {"replace": "yes"}}"#, dedup),
        ("POST", bulk.to_owned(), r#"{"projectIds": ["p1"], "delayMs": 2592000001}"#, delay),
        (
            "POST",
            bulk.to_owned(),
            r#"{"projectIds": ["p1"], "deduplication": {"ttlMs": -1}}"#,
            dedup,
        ),
        ("POST", bulk.to_owned(), "", many),
        ("POST", bulk.to_owned(), "{}", many),
        ("POST", bulk.to_owned(), r#"{"projectIds": []}"#, many),
        ("POST", bulk.to_owned(), r#"{"projectIds": "p1"}"#, many),
        ("POST", bulk.to_owned(), r#"{"projectIds": ["p1", 2]}"#, many),
        ("POST", bulk.to_owned(), r#"{"projectIds": ["p1", ""]}"#, many),
        ("POST", bulk.to_owned(), r#"{"projectIds": ["p1", "\u0000"]}"#, many),
        ("POST", bulk.to_owned(), r#"{"projectIds": ["p1"], "reason": ""}"#, many),
        ("POST", bulk.to_owned(), &too_many, many),
        ("POST", bulk.to_owned(), &too_long, many),
        ("GET", format!("{history}?limit="), "", limit),
        ("GET", format!("{history}?limit=0"), "", limit),
        ("GET", format!("{history}?limit=101"), "", limit),
        ("GET", format!("{history}?limit=ten"), "", limit),
        ("GET", format!("{history}?limit=1&limit=2"), "", twice),
        ("GET", format!("{history}?before="), "", before),
        ("GET", format!("{history}?before=yesterday"), "", before),
        ("GET", format!("{history}?before=2026-01-31T12:00:00.000Z_%00"), "", before),
        ("GET", format!("{history}?format=xml"), "", "format must be json, csv or ndjson"),
        ("GET", format!("{history}?format=csv&limit=101"), "", limit),
        ("GET", format!("{series}?points=3"), "", points),
        ("GET", format!("{series}?points=401"), "", points),
        ("GET", format!("{series}?from=yesterday"), "", span),
        ("GET", format!("{series}?to=2026-02-30"), "", span),
        ("GET", format!("{series}?from=%2B275760-09-13T00:00:00.000Z"), "", span),
        ("GET", format!("{series}?from=2026-01-01&from=2026-01-02"), "", twice),
        ("GET", format!("{compare}?from="), "", places),
        ("GET", format!("{compare}?to=a%00"), "", places),
        ("GET", "/health?deep=yes".to_owned(), "", "deep must be 0 or 1"),
    ];
    for (method, path, body, message) in cases {
        let answer =
            world.send(method.parse().unwrap(), "owner", &path, &[], body.to_owned()).await;
        assert_error(&answer, 400, "BadRequestException", message, &path);
    }
    assert_eq!(world.keys().await, [""; 0]);
}

#[tokio::test]
async fn an_idempotency_key_is_short_and_visible() {
    let world = World::start().await;
    let wrong = "Idempotency-Key must be 1 to 255 visible ASCII characters";
    let twice = "Idempotency-Key was given more than once";
    let (long, fits) = ("k".repeat(256), "k".repeat(255));
    let key = |value| ("Idempotency-Key", value);
    for (keys, message) in [
        (vec![key("")], wrong),
        (vec![key(&long)], wrong),
        (vec![key("clé")], wrong),
        (vec![key("a\tb")], wrong),
        (vec![key("a"), key("a")], twice),
    ] {
        for path in [RECOMPUTE, "/deo-score/recompute"] {
            let body = r#"{"projectIds": ["p1"]}"#;
            let answer = world.send(Method::POST, "owner", path, &keys, body).await;
            assert_error(&answer, 400, "BadRequestException", message, path);
        }
    }
    assert_eq!(world.keys().await, [""; 0]);
    let answer = world.send(Method::POST, "owner", RECOMPUTE, &[key(&fits)], "").await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn a_body_over_256_kib_is_too_large() {
    let world = World::start().await;
    let fits = format!("{{\"pad\": \"{}\"}}", "x".repeat(256 * 1024 - 11));
    assert_eq!(fits.len(), 256 * 1024);
    assert_eq!(world.post("owner", RECOMPUTE, &fits).await.status, 201);
    for path in [RECOMPUTE, "/deo-score/recompute"] {
        let answer = world.post("owner", path, &format!("{fits} ")).await;
        let message = "The body is larger than 256 KiB";
        assert_error(&answer, 413, "PayloadTooLargeException", message, path);
        // Without a length to see in advance, too.
        let chunks = [fits.clone(), fits.clone()].map(Ok::<_, std::io::Error>);
        let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let answer = world.send(Method::POST, "owner", path, &[], stream).await;
        assert_error(&answer, 413, "PayloadTooLargeException", message, path);
        // Nobody sends us a body that we have to read.
        assert_eq!(world.post("", path, &format!("{fits} ")).await.status, 401);
    }
}

#[tokio::test]
async fn nothing_that_a_socket_can_send_breaks_the_server() {
    let world = World::start().await;
    let address = world.base.strip_prefix("http://").unwrap();
    let bearer = token("owner");
    for target in [
        "/projects/%/deo-score",
        "/projects/%zz/deo-score",
        "/projects/%f0%9f%98%80/deo-score",
        "/projects/../deo-score",
        "/projects/p1/deo-score?%",
        "/projects/p1/deo-score/history?limit=%ff&&=&",
        "/jobs/%2e%2e%2f",
        "//health",
        "/health#x",
        "*",
        "http://elsewhere/health",
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let status: u16 = answer.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(status < 500, "{target}: {answer}");
    }
    assert_eq!(world.get("", "/health").await.status, 200);
}
