//! Scores, history and signals.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

const SCORE: &str = "/projects/p1/deo-score";

/// Snapshots `s0`, `s1`, ... of `p1`, a second apart; the last two at the same time.
async fn snapshots(world: &World, count: i32) {
    let sql = r#"INSERT INTO "DeoScoreSnapshot"
        ("id", "projectId", "overallScore", "contentScore", "entityScore", "technicalScore",
         "visibilityScore", "version", "metadata", "computedAt", "updatedAt")
        SELECT 's' || n, 'p1', 50 + n, 1, NULL, 3, 4, 'v1', '{"signals": {"a": 0.1}}',
            timestamp '2026-01-31 12:00:00' + least(n, $1 - 2) * interval '1 second', now()
        FROM generate_series(0, $1 - 1) AS n"#;
    world.database.execute(sql, &[&count]).await.unwrap();
}

#[tokio::test]
async fn a_project_without_a_score_has_none() {
    let world = World::start().await;
    let answer = world.get("owner", SCORE).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, r#"{"projectId":"p1","latestScore":null,"latestSnapshot":null}"#);
}

#[tokio::test]
async fn the_newest_snapshot_is_the_score() {
    let world = World::start().await;
    snapshots(&world, 3).await;
    let answer = world.get("owner", SCORE).await;
    let breakdown =
        json!({"overall": 52, "content": 1, "entities": null, "technical": 3, "visibility": 4});
    assert_eq!(
        answer.json(),
        json!({
            "projectId": "p1",
            "latestScore": breakdown,
            "latestSnapshot": {
                "id": "s2",
                "projectId": "p1",
                "version": "v1",
                "computedAt": "2026-01-31T12:00:01.000Z",
                "breakdown": breakdown,
                "metadata": {"signals": {"a": 0.1}},
            },
        }),
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_snapshot_without_metadata_has_no_such_key() {
    let world = World::start().await;
    for metadata in ["NULL", "'null'"] {
        let sql = format!(
            r#"INSERT INTO "DeoScoreSnapshot" ("id", "projectId", "overallScore", "metadata",
                "computedAt", "updatedAt") VALUES ($1, 'p1', 9, {metadata}, now(), now())"#
        );
        world.database.execute(&sql, &[&metadata]).await.unwrap();
        let snapshot = world.get("owner", SCORE).await.json()["latestSnapshot"].take();
        assert_eq!(snapshot.as_object().unwrap().get("metadata"), None);
        assert_eq!(snapshot["breakdown"]["overall"], 9);
    }
}

/// Earlier, we stored v2's components as an array, and weighted gains.
#[tokio::test]
async fn metadata_of_the_earlier_form_is_read_in_the_present_one() {
    let world = World::start().await;
    let sql = r#"INSERT INTO "DeoScoreSnapshot" ("id", "projectId", "overallScore", "metadata",
        "computedAt", "updatedAt") VALUES ('s1', 'p1', 9, $1, now(), now())"#;
    let component = |key, score, weight: f64| {
        json!({"key": key, "score": score, "weight": weight,
        "potentialGain": f64::from(100 - score) * weight})
    };
    let components = [
        component("entityStrength", 17, 0.2),
        component("intentMatch", 60, 0.2),
        component("answerability", 33, 0.2),
        component("aiVisibility", 33, 0.2),
        component("contentCompleteness", 41, 0.15),
        component("technicalQuality", 10, 0.05),
    ];
    let breakdown = json!({"overall": 35, "entityStrength": 17, "intentMatch": 60,
        "answerability": 33, "aiVisibility": 33, "contentCompleteness": 41, "technicalQuality": 10});
    let mut metadata = json!({
        "signals": {"crawlHealth": 0.30000000000000004},
        "v1": {"modelVersion": "v1", "breakdown": {"overall": 9}},
        "v2": {
            "modelVersion": "v2",
            "breakdown": breakdown,
            "components": components,
            "topOpportunities": [components[0], components[2], components[3]],
            "topStrengths": [components[1], components[4], components[2]],
        },
    });
    world.database.execute(sql, &[&metadata]).await.unwrap();
    let served = world.get("owner", SCORE).await.json()["latestSnapshot"]["metadata"].take();
    metadata["v2"] = json!({
        "modelVersion": "v2",
        "breakdown": breakdown,
        "components": {"entityStrength": 17, "intentMatch": 60, "answerability": 33,
            "aiVisibility": 33, "contentCompleteness": 41, "technicalQuality": 10},
        "topOpportunities": [
            {"key": "technicalQuality", "score": 10, "potentialGain": 90},
            {"key": "entityStrength", "score": 17, "potentialGain": 83},
            {"key": "answerability", "score": 33, "potentialGain": 67},
        ],
        "topStrengths": [
            {"key": "intentMatch", "score": 60},
            {"key": "contentCompleteness", "score": 41},
            {"key": "answerability", "score": 33},
        ],
    });
    assert_eq!(served, metadata);

    // The present form comes back as it is stored, and so does whatever else somebody wrote.
    metadata["v2"]["topStrengths"] = json!([]);
    for stored in [metadata, json!({"v2": {"components": [{"key": "entityStrength"}]}}), json!([1])]
    {
        let sql = r#"UPDATE "DeoScoreSnapshot" SET "metadata" = $1"#;
        world.database.execute(sql, &[&stored]).await.unwrap();
        let served = world.get("owner", SCORE).await.json()["latestSnapshot"]["metadata"].take();
        assert_eq!(served, stored);
    }
}

#[tokio::test]
async fn a_known_score_is_not_sent_again() {
    let world = World::start().await;
    for path in [SCORE, "/projects/p1/deo-score/history"] {
        let first = world.get("owner", path).await;
        let tag = first.header("etag").unwrap();
        assert_eq!(first.header("cache-control"), Some("private, no-cache"));
        let known = [("If-None-Match", tag)];
        let again = world.send(Method::GET, "owner", path, &known, "").await;
        assert_eq!((again.status, again.text.as_str()), (304, ""));
        assert_eq!(again.header("etag"), Some(tag));
        assert_eq!(world.send(Method::GET, "other", path, &known, "").await.status, 403);

        snapshots(&world, 2).await;
        let newer = world.send(Method::GET, "owner", path, &known, "").await;
        assert_eq!(newer.status, 200);
        assert_ne!(newer.header("etag"), Some(tag));
        world.database.execute(r#"DELETE FROM "DeoScoreSnapshot""#, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn history_pages_by_key_newest_first() {
    let world = World::start().await;
    snapshots(&world, 7).await;
    let mut seen = Vec::new();
    let mut before = String::new();
    loop {
        let path = format!("/projects/p1/deo-score/history?limit=2{before}");
        let page = world.get("owner", &path).await.json();
        assert_eq!(page["projectId"], "p1");
        for snapshot in page["snapshots"].as_array().unwrap() {
            assert_eq!(snapshot.get("metadata"), None);
            seen.push(snapshot["id"].as_str().unwrap().to_owned());
        }
        // A newer one that comes meanwhile moves nothing.
        let sql = r#"INSERT INTO "DeoScoreSnapshot" ("id", "projectId", "overallScore",
            "computedAt", "updatedAt") VALUES ($1, 'p1', 1, now(), now())"#;
        world.database.execute(sql, &[&format!("new{}", seen.len())]).await.unwrap();
        match page["nextBefore"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["s6", "s5", "s4", "s3", "s2", "s1", "s0"]);
}

#[tokio::test]
async fn history_begins_below_a_time_too() {
    let world = World::start().await;
    snapshots(&world, 5).await;
    let ids = |page: Value| -> Vec<String> {
        let snapshots = page["snapshots"].as_array().unwrap().iter();
        snapshots.map(|snapshot| snapshot["id"].as_str().unwrap().to_owned()).collect()
    };
    let path = "/projects/p1/deo-score/history?before=2026-01-31T12:00:02.000Z";
    let page = world.get("owner", path).await.json();
    assert_eq!(page["nextBefore"], Value::Null);
    assert_eq!(ids(page), ["s1", "s0"]);
    let page = world.get("owner", "/projects/p1/deo-score/history").await.json();
    assert_eq!(ids(page), ["s4", "s3", "s2", "s1", "s0"]);
    let page = world.get("owner", "/projects/p2/deo-score/history?limit=100").await;
    assert_eq!(page.text, r#"{"projectId":"p2","snapshots":[],"nextBefore":null}"#);
}

#[tokio::test]
async fn a_page_has_30_snapshots_where_the_request_does_not_say() {
    let world = World::start().await;
    snapshots(&world, 40).await;
    let page = world.get("owner", "/projects/p1/deo-score/history").await.json();
    assert_eq!(page["snapshots"].as_array().unwrap().len(), 30);
    assert_eq!(page["nextBefore"], "2026-01-31T12:00:10.000Z_s10");
}

#[tokio::test]
async fn signals_are_computed_from_the_rows_as_they_are_now() {
    let world = World::start().await;
    let path = "/projects/p1/deo-signals/debug";
    let empty = world.get("owner", path).await.json();
    assert_eq!(empty.as_object().unwrap().len(), 17);
    assert_eq!((&empty["contentCoverage"], &empty["coreWebVitals"]), (&json!(0.0), &json!(0.5)));

    let sql = r#"INSERT INTO "CrawlResult" ("id", "projectId", "url", "statusCode", "title",
        "wordCount", "issues") VALUES ('c1', 'p1', 'https://a.example/', 200, 'A', 800, '[]')"#;
    world.database.execute(sql, &[]).await.unwrap();
    let signals = world.get("owner", path).await.json();
    assert_eq!((&signals["contentCoverage"], &signals["contentDepth"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(signals["crawlHealth"], json!(1.0));
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let world = World::start().await;
    let answer = world.send(Method::HEAD, "owner", SCORE, &[], "").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert!(answer.header("etag").is_some());
}
