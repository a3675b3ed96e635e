//! A project's past: series, comparisons and exports.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, assert_error};

const SCORE: &str = "/projects/p1/deo-score";

/// Snapshots `s0`, `s1`, … of `p1`, an hour apart from the first of January on.
async fn snapshots(world: &World, count: i32) {
    let sql = r#"INSERT INTO "DeoScoreSnapshot"
        ("id", "projectId", "overallScore", "contentScore", "entityScore", "technicalScore",
         "visibilityScore", "version", "metadata", "computedAt", "updatedAt")
        SELECT 's' || n, 'p1', 40 + n % 20, n % 100, NULL, 3, 4, 'v1',
            jsonb_build_object('pad', repeat(md5(n::text), 40)),
            timestamp '2026-01-01' + n * interval '1 hour', now()
        FROM generate_series(0, $1 - 1) AS n"#;
    world.database.execute(sql, &[&count]).await.unwrap();
}

async fn get(world: &World, path: &str) -> Answer {
    world.get("owner", &format!("{SCORE}/{path}")).await
}

#[tokio::test]
async fn a_series_has_its_points_and_tells_how_many_snapshots_they_stand_for() {
    let world = World::start().await;
    let empty = get(&world, "series").await;
    assert_eq!(empty.text, r#"{"projectId":"p1","snapshots":0,"points":[]}"#);
    snapshots(&world, 1_000).await;
    let day = get(&world, "series?from=2026-01-02&to=2026-01-02T02:00:00.000Z").await;
    assert_eq!(
        day.json(),
        json!({"projectId": "p1", "snapshots": 2, "points": [
            {"computedAt": "2026-01-02T00:00:00.000Z", "overall": 44},
            {"computedAt": "2026-01-02T01:00:00.000Z", "overall": 45},
        ]})
    );
    for (query, most) in [("series", 400), ("series?points=9", 9)] {
        let series = get(&world, query).await.json();
        assert_eq!(series["snapshots"], 1_000);
        let points = series["points"].as_array().unwrap().len();
        assert!((most / 2..=most).contains(&points), "{points} points");
    }
    let tag = get(&world, "series").await.header("etag").unwrap().to_owned();
    let known = [("If-None-Match", tag.as_str())];
    let path = format!("{SCORE}/series");
    assert_eq!(world.send(Method::GET, "owner", &path, &known, "").await.status, 304);
}

/// Two runs of the drain's own scorer, with rows that became worse between them.
#[tokio::test]
async fn a_comparison_says_why_the_score_changed() {
    let world = World::start().await;
    let pages = |title: &str, words: i32| {
        format!(
            r#"DELETE FROM "CrawlResult"; INSERT INTO "CrawlResult" ("id", "projectId", "url",
            "statusCode", "title", "metaDescription", "h1", "wordCount", "issues")
            SELECT 'c' || n, 'p1', 'https://a.example/' || n, 200, {title}, 'd', 'h',
                CASE WHEN n <= 12 THEN {words} ELSE 900 END, '[]' FROM generate_series(1, 20) n"#
        )
    };
    for sql in [pages("'t'", 900), pages("CASE WHEN n > 1 THEN 't' END", 100)] {
        world.database.batch_execute(&sql).await.unwrap();
        assert_eq!(world.post("owner", &format!("{SCORE}/recompute"), "").await.status, 201);
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        let report = fixture::drain(&world.config).tick(until).await;
        assert_eq!(report.completed, 1);
    }
    let change = get(&world, "compare").await.json();
    let history = get(&world, "history").await.json();
    assert_eq!(change["to"], history["snapshots"][0]);
    assert_eq!(change["from"], history["snapshots"][1]);
    let points = change["change"].as_i64().unwrap();
    assert!(points < 0, "{change:#}");
    for parts in ["components", "signals"] {
        let parts = change[parts].as_array().unwrap();
        let sum: i64 = parts.iter().map(|part| part["tenths"].as_i64().unwrap()).sum();
        assert_eq!(sum, 10 * points, "{change:#}");
        assert_eq!(parts.last().unwrap()["key"], "rounding");
    }
    let texts: Vec<&str> = change["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "1 more page without a title",
            "12 more pages with fewer than 150 words",
            "12 fewer pages with 400 words or more",
        ]
    );
    // The newest snapshot has the counts themselves.
    let score = world.get("owner", SCORE).await.json();
    let facts = &score["latestSnapshot"]["metadata"]["facts"];
    assert_eq!((&facts["pages"], &facts["pagesUnder150Words"]), (&json!(20), &json!(12)));

    // Named the other way round, everything changes its sign.
    let id = |name: &str| change[name]["id"].as_str().unwrap().to_owned();
    let back = format!("compare?from={}&to={}", id("to"), id("from"));
    let back = get(&world, &back).await.json();
    assert_eq!(back["change"], -points);
    assert_eq!(back["counts"][1]["text"], "12 fewer pages with fewer than 150 words");

    // Where one has no counts, as the platform's own worker's, they are left out; the rest is there.
    let sql = r#"UPDATE "DeoScoreSnapshot" SET metadata = metadata - 'facts' WHERE id = $1"#;
    world.database.execute(sql, &[&id("from")]).await.unwrap();
    let change = get(&world, "compare").await.json();
    assert_eq!(change.get("counts"), None);
    assert_eq!(change["signals"].as_array().unwrap().len(), 18);
    let sql = r#"UPDATE "DeoScoreSnapshot" SET metadata = NULL WHERE id = $1"#;
    world.database.execute(sql, &[&id("from")]).await.unwrap();
    let change = get(&world, "compare").await.json();
    assert_eq!((change.get("signals"), &change["change"]), (None, &json!(points)));
}

#[tokio::test]
async fn snapshots_to_compare_are_named_by_id_or_by_time() {
    let world = World::start().await;
    let nothing = get(&world, "compare").await;
    let early = "There is no snapshot as early as that";
    let path = format!("{SCORE}/compare");
    assert_error(&nothing, 404, "NotFoundException", early, &path);
    snapshots(&world, 50).await;
    let ends = async |query: &str| -> Value {
        let change = get(&world, &format!("compare{query}")).await.json();
        json!([change["from"]["id"], change["to"]["id"], change["change"]])
    };
    assert_eq!(ends("").await, json!(["s48", "s49", 1]));
    assert_eq!(ends("?from=2026-01-02&to=2026-01-03").await, json!(["s24", "s48", 4]));
    assert_eq!(ends("?from=2026-01-02T00:59:59.999Z&to=s3").await, json!(["s24", "s3", -1]));
    assert_eq!(ends("?to=s3").await, json!(["s2", "s3", 1]));
    assert_eq!(ends("?from=s3&to=s3").await, json!(["s3", "s3", 0]));
    for (query, message) in
        [("?from=2025-12-31", early), ("?to=s0", early), ("?from=nothing", "Snapshot not found")]
    {
        let answer = get(&world, &format!("compare{query}")).await;
        assert_error(&answer, 404, "NotFoundException", message, &format!("{path}{query}"));
    }
    // Another project's snapshot is none of this one's.
    let other = world.get("owner", "/projects/p2/deo-score/compare?to=s3").await;
    assert_eq!(other.status, 404);
}

/// Goes from page to page by what `Link` names.
async fn whole(world: &World, first: &str, accept: &str) -> Vec<Answer> {
    let (mut pages, mut query) = (Vec::new(), first.to_owned());
    loop {
        let path = format!("{SCORE}/history{query}");
        let page = world.send(Method::GET, "owner", &path, &[("Accept", accept)], "").await;
        assert_eq!(page.status, 200, "{}", page.text);
        let link = page.header("link").map(str::to_owned);
        pages.push(page);
        assert!(pages.len() < 100, "the pages go round");
        let Some(link) = link else { return pages };
        let (target, rel) = link.split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"");
        query = target.strip_prefix('<').unwrap().to_owned();
    }
}

#[tokio::test]
async fn a_history_is_exported_page_by_page_and_whole() {
    let world = World::start().await;
    snapshots(&world, 25).await;
    let sql = r#"UPDATE "DeoScoreSnapshot" SET id = $1 WHERE id = 's7'"#;
    let odd = "a,\"é\" & b";
    world.database.execute(sql, &[&odd]).await.unwrap();
    let expected: Vec<String> = {
        let page = get(&world, "history?limit=100").await.json();
        let snapshots = page["snapshots"].as_array().unwrap();
        snapshots.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((expected.len(), expected[17].as_str()), (25, odd));

    for first in ["?limit=4", "?limit=18", "?limit=25", ""] {
        let pages = whole(&world, first, "application/x-ndjson").await;
        assert_eq!(pages[0].header("content-type"), Some("application/x-ndjson"));
        let lines: Vec<Value> = pages
            .iter()
            .flat_map(|page| page.text.lines())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ids: Vec<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{first}");
        assert_eq!(lines[0]["breakdown"]["overall"], 44);

        let pages = whole(&world, first, "text/csv").await;
        assert_eq!(pages[0].header("content-type"), Some("text/csv"));
        assert_eq!(pages[0].header("vary"), Some("accept"));
        let mut rows = Vec::new();
        for page in &pages {
            let mut lines = page.text.split_terminator("\r\n");
            let header = "id,computedAt,version,overall,content,entities,technical,visibility";
            assert_eq!(lines.next(), Some(header));
            rows.extend(lines);
        }
        assert_eq!(rows.len(), 25, "{first}");
        assert_eq!(rows[0], "s24,2026-01-02T00:00:00.000Z,v1,44,24,,3,4");
        assert_eq!(rows[17], "\"a,\"\"é\"\" & b\",2026-01-01T07:00:00.000Z,v1,47,7,,3,4");
    }
    // The parameter goes before what is accepted.
    let csv = whole(&world, "?format=csv", "application/json").await;
    assert!(csv[0].text.starts_with("id,"));
    let tag = csv[0].header("etag").unwrap();
    let path = format!("{SCORE}/history?format=csv");
    let known = world.send(Method::GET, "owner", &path, &[("If-None-Match", tag)], "").await;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
}

/// Ids as long as they may be, of characters that take four bytes each.
#[tokio::test]
async fn no_page_of_an_export_outgrows_an_answer_of_lambda_s() {
    let world = World::start().await;
    let sql = r#"INSERT INTO "DeoScoreSnapshot" ("id", "projectId", "overallScore", "computedAt", "updatedAt")
        SELECT repeat('😀', 180) || n, 'p1', 1, timestamp '2026-01-01' + n * interval '1 hour', now()
        FROM generate_series(1, 13000) AS n"#;
    world.database.batch_execute(sql).await.unwrap();
    for format in ["csv", "ndjson"] {
        let pages = whole(&world, &format!("?format={format}"), "*/*").await;
        assert!(pages.len() > 2, "{} pages", pages.len());
        let headers = if format == "csv" { pages.len() } else { 0 };
        let lines: usize = pages.iter().map(|page| page.text.lines().count()).sum();
        assert_eq!(lines - headers, 13_000, "{format}");
        for page in &pages {
            // What is not known to be text is sent in base64.
            assert!(page.text.len() * 4 / 3 < 6_000_000, "{} bytes", page.text.len());
        }
    }
}
