//! Pages of the web application, which have another origin.

use reqwest::Method;

use crate::world::World;

const APP: &str = "https://app.example.com";
const PATH: &str = "/projects/p1/deo-score/recompute";

#[tokio::test]
async fn a_page_of_a_named_origin_may_ask_and_read() {
    let world =
        World::with(&[("CORS_ORIGINS", "http://localhost:3000, https://app.example.com")]).await;
    let asked = [
        ("Origin", APP),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,idempotency-key"),
    ];
    let preflight = world.send(Method::OPTIONS, "", PATH, &asked, "").await;
    assert_eq!(preflight.status, 200, "{}", preflight.text);
    assert_eq!(preflight.header("access-control-allow-origin"), Some(APP));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,HEAD,POST,OPTIONS"));
    let allowed = preflight.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("idempotency-key"), "{allowed}");
    assert_eq!(preflight.header("access-control-max-age"), Some("3600"));

    // Errors are read as well.
    for (user, status) in [("owner", 201), ("other", 403), ("", 401)] {
        let answer = world.send(Method::POST, user, PATH, &[("Origin", APP)], "").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP), "{user}");
        let exposed = answer.header("access-control-expose-headers");
        assert_eq!(exposed, Some("etag,link,retry-after,x-job-id,x-deduplicated"));
        assert!(answer.header("vary").unwrap().contains("origin"));
    }
}

#[tokio::test]
async fn a_page_of_any_other_origin_may_not() {
    let world = World::with(&[("CORS_ORIGINS", APP)]).await;
    let strangers = ["https://app.example.com.evil.example", "http://app.example.com", "null"];
    for (origin, allowed) in
        [(APP, Some(APP))].into_iter().chain(strangers.map(|origin| (origin, None)))
    {
        let preflight = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        for (method, headers) in
            [(Method::OPTIONS, &preflight[..]), (Method::POST, &preflight[..1])]
        {
            let answer = world.send(method, "owner", PATH, headers, "").await;
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
        }
    }
}
