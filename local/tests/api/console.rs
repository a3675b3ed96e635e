//! The console's page and its script, as a browser gets them. What it does, Chromium shows (`local/interop/console`).

use reqwest::Method;
use shared::engine::StoppedBecause;

use crate::world::{Answer, World};

const GZIP: (&str, &str) = ("accept-encoding", "gzip, br");

/// What stands in the page's attribute of this name.
fn attribute<'a>(page: &'a Answer, name: &str) -> &'a str {
    let start = page.text.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
    page.text[start..].split('"').next().unwrap()
}

#[tokio::test]
async fn the_page_lets_its_own_script_run_and_the_web_application_frame_it() {
    let origins = "https://app.example.com,http://localhost:3000,https://*.example.com";
    let world = World::with(&[("CORS_ORIGINS", origins)]).await;
    let page = world.get("", "/console").await;
    assert_eq!(page.status, 200, "without a token");
    assert_eq!(world.get("", "/console/").await.text, page.text);
    let policy = page.header("content-security-policy").unwrap();
    let framed = "frame-ancestors https://app.example.com http://localhost:3000;";
    assert!(policy.contains("default-src 'none'") && policy.contains(framed), "{policy}");
    let integrity = attribute(&page, "integrity");
    assert!(policy.contains(&format!("script-src '{integrity}';")), "{policy}");
    let told = "content=\"https://app.example.com http://localhost:3000\"";
    assert!(page.text.contains(told), "{}", page.text);
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn nobody_frames_it_where_there_is_no_web_application() {
    let world = World::start().await;
    let page = world.get("", "/console").await;
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    // The route by which `deo up` signs in is none of the function's.
    let session = world.post("", "/console/session", r#"{"code":"x"}"#).await;
    assert_eq!(session.status, 404);
}

#[tokio::test]
async fn the_page_is_asked_for_each_time_and_its_script_once_a_year() {
    let world = World::start().await;
    let page = world.get("", "/console").await;
    assert_eq!(page.header("cache-control"), Some("private, no-cache"));
    let known = [("if-none-match", page.header("etag").unwrap())];
    assert_eq!(world.send(Method::GET, "", "/console", &known, "").await.status, 304);

    let path = attribute(&page, "src").to_owned();
    let script = world.get("", &path).await;
    let packed = world.send(Method::GET, "", &path, &[GZIP], "").await;
    for answer in [&script, &packed] {
        assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
    }
    assert_eq!(script.header("content-encoding"), None);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let length =
        |answer: &Answer| answer.header("content-length").unwrap().parse::<usize>().unwrap();
    assert!(length(&packed) * 2 < length(&script));
    let known = [GZIP, ("if-none-match", packed.header("etag").unwrap())];
    assert_eq!(world.send(Method::GET, "", &path, &known, "").await.status, 304);
}

#[test]
fn each_reason_to_stop_a_tick_is_in_words() {
    let words = include_str!("../../../functions/api/console/words.js");
    let (_, stopped) = words.split_once("export const STOPPED = {").unwrap();
    let (stopped, _) = stopped.split_once("};").unwrap();
    let mut told: Vec<_> = stopped
        .split(',')
        .filter_map(|pair| pair.split_once(':'))
        .map(|(name, _)| name.trim())
        .collect();
    let all = StoppedBecause::ALL.map(|reason| serde_json::to_value(reason).unwrap());
    let mut all: Vec<_> = all.iter().map(|reason| reason.as_str().unwrap()).collect();
    told.sort_unstable();
    all.sort_unstable();
    assert_eq!(told, all);
}
