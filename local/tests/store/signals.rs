//! Reading: the same facts as in Rust, in one statement, and no row that blocks another project.

use fixture::database_proxy::through_proxy;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use shared::deo::{Page, Product, Score, Tally, WHITE_SPACE};
use shared::store::ErrorKind;

use super::{Bench, NOON, store, strings};

const AT: &str = "2026-02-01T00:00:00.000Z";

fn page(url: &str) -> Value {
    json!({"url": url, "statusCode": 200, "title": "t", "metaDescription": "m", "h1": "h",
        "wordCount": 500, "issues": [], "scannedAt": AT})
}

fn product(title: &str, description: &str) -> Value {
    json!({"title": title, "description": description, "lastSyncedAt": AT})
}

/// Text that Postgres can hold, rich in what is white space, or nearly.
fn nasty() -> impl Strategy<Value = String> {
    let white = prop::sample::select(WHITE_SPACE.to_vec());
    let nearly = prop::sample::select(vec![
        '\u{85}',
        '\u{200B}',
        '\u{180E}',
        '\u{2060}',
        '\u{1C}',
        '\u{1F}',
        '\u{7F}',
        '\u{A1}',
        '\u{FFFE}',
        '\u{200F}',
        '\u{202A}',
        '\u{2030}',
        '\u{3001}',
        '\u{FEFE}',
        '\u{10FFFF}',
        '\u{E000}',
        '😀',
        'é',
        '木',
        '\'',
        '"',
        '\\',
        '%',
        '\u{301}',
    ]);
    let c = prop_oneof![
        4 => white,
        3 => nearly,
        3 => prop::char::range('a', 'e'),
        1 => any::<char>().prop_filter("Postgres holds no NUL", |&c| c != '\0'),
    ];
    prop::collection::vec(c, 0..24).prop_map(String::from_iter)
}

fn issues() -> impl Strategy<Value = Value> {
    let name =
        prop::sample::select(vec!["HTTP_ERROR", "FETCH_ERROR", "THIN_CONTENT", "http_error", ""]);
    let text =
        (name.clone(), nasty()).prop_map(|(name, around)| json!(format!("{around}{name}{around}")));
    let member = prop_oneof![
        4 => name.prop_map(|name| json!(name)),
        1 => prop::sample::select(vec![json!(1), json!(null), json!(["HTTP_ERROR"]), json!({"HTTP_ERROR": 1})]),
    ];
    prop_oneof![
        6 => prop::collection::vec(member, 0..4).prop_map(Value::Array),
        2 => text,
        1 => prop::sample::select(vec![json!(null), json!(7), json!(true), json!({"THIN_CONTENT": true})]),
    ]
}

fn any_page() -> impl Strategy<Value = Value> {
    let text = || prop::option::of(nasty());
    let words = prop::option::of(prop_oneof![0..700, Just(-1), Just(i32::MAX), Just(i32::MIN)]);
    let status = prop::sample::select(vec![0, 199, 200, 301, 399, 400, 404]);
    let url = prop_oneof![
        nasty(),
        prop::sample::select(vec![
            "",
            "HTTPS://X.example/About",
            "https://x.example?r=/faq",
            "İ/x"
        ])
        .prop_map(str::to_owned)
    ];
    (url, status, text(), text(), text(), words, issues()).prop_map(
        |(url, status, title, meta, h1, words, issues)| {
            json!({"url": url, "statusCode": status, "title": title, "metaDescription": meta, "h1": h1,
                "wordCount": words, "issues": issues, "scannedAt": AT})
        },
    )
}

fn any_product() -> impl Strategy<Value = Value> {
    let text = || prop::option::of(nasty());
    (nasty(), text(), text(), text()).prop_map(
        |(title, description, seo_title, seo_description)| {
            json!({"title": title, "description": description, "seoTitle": seo_title,
            "seoDescription": seo_description, "lastSyncedAt": AT})
        },
    )
}

#[tokio::test]
async fn sql_and_rust_reduce_any_row_to_the_same_facts() {
    let bench = Bench::new().await;
    let seed = rand::random::<[u8; 32]>();
    println!("seed {seed:?}");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let rows =
        (prop::collection::vec(any_page(), 0..3), prop::collection::vec(any_product(), 0..4));
    let mut cases = Vec::new();
    for n in 0..400 {
        let (pages, products) = rows.new_tree(&mut runner).unwrap().current();
        let id = format!("any-{n:03}");
        bench.project(&id, &json!(pages), &json!(products)).await;
        cases.push((id, pages, products));
    }
    let ids: Vec<String> = cases.iter().map(|case| case.0.clone()).collect();
    let projects = bench.store.signals(&ids).await.unwrap();
    for (id, pages, products) in cases {
        let mut tally = Tally::default();
        for page in &pages {
            let page: Page = serde_json::from_value(page.clone()).unwrap();
            tally.add_page(&page.facts());
        }
        for product in &products {
            let product: Product = serde_json::from_value(product.clone()).unwrap();
            tally.add_product(&product.facts());
        }
        let rows = projects[&id].as_ref().unwrap();
        let (sql, rust) = (rows.tally.signals(NOON), tally.signals(NOON));
        assert_eq!(sql, rust, "{id} {} {}", json!(pages), json!(products));
        assert_eq!(rows.malformed_rows, tally.malformed_rows(), "{id} {}", json!(pages));
    }
}

#[tokio::test]
async fn a_batch_of_any_size_is_one_unnamed_statement() {
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..100).map(|n| format!("p{n:03}")).collect();
    for id in &ids {
        bench.project(id, &json!([page("/"), page("/about")]), &json!([product("a", "b")])).await;
    }
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    for batch in [&ids[..1], &ids[..10], &ids] {
        assert_eq!(store.signals(batch).await.unwrap().len(), batch.len());
        assert_eq!(watch.statements(), 1, "{} projects", batch.len());
    }
    assert_eq!(store.signals(&[]).await.unwrap().len(), 0);
    assert_eq!(watch.statements(), 0, "nothing to ask");
    assert!(watch.named.lock().unwrap().iter().all(String::is_empty), "a pooler would keep a name");
}

#[tokio::test]
async fn an_unknown_project_is_not_in_the_answer() {
    let bench = Bench::new().await;
    bench.empty_projects(&["here"]).await;
    let long = "x".repeat(1_000_000);
    let asked =
        strings(&["gone", "here", "here", "", "nul\0", &long, "here'; DROP TABLE \"User\""]);
    let projects = bench.store.signals(&asked).await.unwrap();
    assert_eq!(projects.keys().collect::<Vec<_>>(), ["here"]);
    let score = Score::of(projects["here"].as_ref().unwrap().tally.signals(NOON));
    assert_eq!(score.v1.overall, 9, "a project without rows scores too");
}

#[tokio::test]
async fn rows_add_up_in_the_order_of_their_ids() {
    let bench = Bench::new().await;
    // Floating-point sums tell orders apart only for some ages; the golden cases `order/*` have them.
    // Here rows are written backwards, and their ids sort otherwise in a language's own order.
    bench.empty_projects(&["p"]).await;
    let ages = [("b", 89.9), ("a", 0.1), ("B", 33.3), ("A", 66.7), ("é", 12.345), ("_", 71.1)];
    for (id, days) in ages {
        bench
            .sql
            .run(&format!(
                r#"INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", issues, "scannedAt")
                VALUES ('{id}', 'p', '/', 200, '[]', timestamp '2026-03-01 12:00' - {days} * interval '1 day')"#
            ))
            .await;
    }
    let projects = bench.store.signals(&strings(&["p"])).await.unwrap();
    let mut by_bytes = ages;
    by_bytes.sort_unstable_by_key(|row| row.0);
    let mut tally = Tally::default();
    for (id, _) in by_bytes {
        let scanned = bench
            .sql
            .number(&format!(
                r#"SELECT (extract(epoch FROM "scannedAt") * 1000)::bigint FROM "CrawlResult" WHERE id = '{id}'"#
            ))
            .await;
        let row = json!({"url": "/", "statusCode": 200, "issues": [], "scannedAt": AT});
        let row = Page { scanned_at_ms: scanned, ..serde_json::from_value(row).unwrap() };
        tally.add_page(&row.facts());
    }
    assert_eq!(projects["p"].as_ref().unwrap().tally.signals(NOON), tally.signals(NOON));
}

#[tokio::test]
async fn malformed_rows_count_as_harmless_and_are_told() {
    let bench = Bench::new().await;
    let mut bad = page("/");
    bad["issues"] = json!({"HTTP_ERROR": true});
    bench.project("p", &json!([page("/"), bad, page("/about")]), &json!([product("a", "b")])).await;
    bench
        .sql
        .run(
            r#"UPDATE "CrawlResult" SET "scannedAt" = 'infinity' WHERE url = '/about';
            UPDATE "Product" SET "lastSyncedAt" = '294276-12-31'"#,
        )
        .await;
    let projects = bench.store.signals(&strings(&["p"])).await.unwrap();
    let rows = projects["p"].as_ref().unwrap();
    assert_eq!(rows.malformed_rows, 3);
    assert_eq!(rows.malformed_ids, ["p-c000002", "p-c000003", "p-r000001"]);
    let signals = json!(rows.tally.signals(NOON));
    assert_eq!(signals["crawlHealth"], 1.0, "an object's keys are no issues");
    // (2 pages of 1 - 28.5/90, a page and a product of 0) / 4
    let fresh: f64 = signals["contentFreshness"].as_f64().unwrap();
    assert!((fresh - 2.0 * (1.0 - 28.5 / 90.0) / 4.0).abs() < 1e-12, "{fresh}");
}

/// The column is the platform's: it may be there or not, of any type, and come and go while we run.
#[tokio::test]
async fn internal_links_count_where_the_table_has_them_in_one_statement_all_the_same() {
    let bench = Bench::new().await;
    let pages = json!([page("/"), page("/a"), page("/b")]);
    bench.project("p", &pages, &json!([product("a", "b c")])).await;
    bench.empty_projects(&["empty"]).await;
    let (url, watch) = through_proxy(&bench.url).await;
    let store = store(&url);
    let ids = strings(&["empty", "p"]);
    let density = async || {
        let projects = store.signals(&ids).await.unwrap();
        assert_eq!(watch.statements(), 1);
        let signals = |id: &str| json!(projects[id].as_ref().unwrap().tally.signals(NOON));
        assert_eq!(signals("empty")["entityLinkageDensity"], 0.0);
        signals("p")["entityLinkageDensity"].as_f64().unwrap()
    };
    let by_words = (3.0 * 500.0 + 2.0) / 4.0 / 1_200.0;
    assert_eq!(density().await, by_words);
    for (of, links, expected) in [
        ("integer", ["0", "NULL", "NULL"], 0.0),
        ("integer", ["7", "NULL", "-1"], 7.0 / 3.0 / 20.0),
        ("integer", ["NULL", "-1", "NULL"], by_words),
        ("integer", ["2147483647", "2147483647", "2147483647"], 1.0),
        ("smallint", ["1", "1", "3"], 0.083_333_333_333_333_34),
        ("bigint", ["9223372036854775807", "NULL", "NULL"], 1.0),
        ("numeric(9, 2)", ["0.1", "0.2", "0.3"], 0.600_000_000_000_000_1 / 3.0 / 20.0),
        ("numeric", ["1e400", "1e-400", "'NaN'"], 1.0),
        ("numeric", ["1e-400", "2", "'NaN'"], 2.0 / 3.0 / 20.0),
        ("real", ["0.1", "0.2", "0.3"], 0.600_000_000_000_000_1 / 3.0 / 20.0),
        ("double precision", ["0.1", "0.2", "0.3"], 0.600_000_000_000_000_1 / 3.0 / 20.0),
        ("double precision", ["'NaN'", "3", "'-Infinity'"], 3.0 / 3.0 / 20.0),
        ("double precision", ["'NaN'", "NULL", "NULL"], by_words),
        ("double precision", ["'Infinity'", "1", "1"], 1.0),
        // No numbers, whatever they say.
        ("text", ["'7'", "'seven'", "''"], by_words),
        ("jsonb", ["'7'", "'{}'", "'[7]'"], by_words),
        ("boolean", ["true", "true", "false"], by_words),
        ("integer[]", ["'{7}'", "'{}'", "NULL"], by_words),
    ] {
        let add = format!(r#"ALTER TABLE "CrawlResult" ADD "internalLinkCount" {of}"#);
        bench.sql.run(&add).await;
        for (url, links) in ["/", "/a", "/b"].iter().zip(links) {
            let set = format!(r#"SET "internalLinkCount" = {links} WHERE url = '{url}'"#);
            bench.sql.run(&format!(r#"UPDATE "CrawlResult" {set}"#)).await;
        }
        assert_eq!(density().await, expected, "{of} {links:?}");
        // Another type, and none, with no moment between.
        bench.sql.run(r#"ALTER TABLE "CrawlResult" ALTER "internalLinkCount" TYPE text"#).await;
        assert_eq!(density().await, by_words, "{of} {links:?}");
        bench.sql.run(r#"ALTER TABLE "CrawlResult" DROP "internalLinkCount""#).await;
        assert_eq!(density().await, by_words, "after {of} {links:?}");
    }
}

#[tokio::test]
async fn a_row_that_makes_the_statement_fail_costs_only_its_own_project() {
    let bench = Bench::new().await;
    let ids: Vec<String> = (0..25).map(|n| format!("p{n:02}")).collect();
    for id in &ids {
        bench.project(id, &json!([page("/")]), &json!([product("a", "b c")])).await;
    }
    bench
        .sql
        .run(
            r#"ALTER TABLE "Product" RENAME TO products;
            CREATE VIEW "Product" AS SELECT id, "projectId", title, "seoTitle", "seoDescription",
                "lastSyncedAt", CASE WHEN "projectId" IN ('p07', 'p19')
                    THEN ('hush' || description)::int::text ELSE description END AS description
            FROM products"#,
        )
        .await;
    let projects = bench.store.signals(&ids).await.unwrap();
    for id in &ids {
        let rows = &projects[id];
        if id == "p07" || id == "p19" {
            let error = rows.as_ref().unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Data, Some("22P02")));
            assert!(!error.is_unavailable());
            assert!(!error.to_string().contains("hush"), "{error}");
        } else {
            assert_eq!(json!(rows.as_ref().unwrap().tally.signals(NOON))["crawlHealth"], 1.0);
        }
    }
}
