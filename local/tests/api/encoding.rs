//! Bodies and answers as gzip.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::Value;

use crate::world::{World, assert_error};

const PATH: &str = "/projects/p1/deo-score/recompute";

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn a_body_may_come_as_gzip_and_must_be_what_it_says() {
    let world = World::start().await;
    let send = async |coding: &str, body: Vec<u8>| {
        world.send(Method::POST, "owner", PATH, &[("Content-Encoding", coding)], body).await
    };
    let body = gzip(br#"{"reason": "scheduled"}"#);
    let coding = "The body's Content-Encoding must be gzip or identity";
    for unknown in ["br", "gzip, gzip"] {
        let answer = send(unknown, body.clone()).await;
        assert_error(&answer, 415, "UnsupportedMediaTypeException", coding, PATH);
    }
    let broken = "The body is not the gzip that Content-Encoding says";
    assert_error(&send("gzip", b"{}".to_vec()).await, 400, "BadRequestException", broken, PATH);
    let large = "The body is larger than 256 KiB";
    let bomb = gzip(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    let packed_too_large = vec![0; 256 * 1024 + 1];
    for body in [gzip(&vec![b' '; 256 * 1024 + 1]), bomb, packed_too_large] {
        let answer = send("gzip", body).await;
        assert_error(&answer, 413, "PayloadTooLargeException", large, PATH);
    }
    assert_eq!(world.keys().await, [""; 0]);

    assert_eq!(send("gzip", body).await.status, 201);
    let data: Value = serde_json::from_str(&world.job_field("1", "data").await.unwrap()).unwrap();
    assert_eq!(data["reason"], "scheduled");
}

#[tokio::test]
async fn long_answers_go_as_gzip_to_who_takes_it() {
    let world = World::start().await;
    let rows = r#"INSERT INTO "DeoScoreSnapshot"
        ("id", "projectId", "overallScore", "version", "computedAt", "updatedAt")
        SELECT 's' || n, 'p1', n, 'v1', now() - n * interval '1 hour', now() FROM generate_series(1, 100) n"#;
    world.database.batch_execute(rows).await.unwrap();
    let path = "/projects/p1/deo-score/history?limit=100";
    let plain = world.get("owner", path).await;
    assert_eq!((plain.header("content-encoding"), plain.status), (None, 200));
    assert!(plain.header("etag").unwrap().starts_with('"'));

    let response = reqwest::Client::new()
        .get(format!("{}{path}", world.base))
        .bearer_auth(crate::world::token("owner"))
        .header("Accept-Encoding", "gzip, br")
        .send()
        .await
        .unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-encoding"), "gzip");
    // Another representation has no strong tag in common with this one.
    let tag = header("etag");
    assert_eq!(tag, format!("W/{}", plain.header("etag").unwrap()));
    let varies: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(varies, ["accept", "accept-encoding"]);
    let packed = response.bytes().await.unwrap();
    assert!(packed.len() * 3 < plain.text.len(), "{} of {}", packed.len(), plain.text.len());
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text);

    let known = [("If-None-Match", &*tag), ("Accept-Encoding", "gzip")];
    assert_eq!(world.send(Method::GET, "owner", path, &known, "").await.status, 304);
    let gzip = [("Accept-Encoding", "gzip")];
    let short = world.send(Method::GET, "owner", "/projects/p2/deo-score", &gzip, "").await;
    assert_eq!(short.header("content-encoding"), None, "{}", short.text);
}
