//! Scores so many projects of 30 pages and 20 products, so that a profiler can count what one takes:
//! `valgrind --tool=callgrind target/release/examples/score 1000`.

use std::hint::black_box;

use shared::deo::{Page, Product, Score, Tally};

const NOW_MS: i64 = 1_764_115_200_000;

const PAGE: &str = r#"{"url": "https://shop.example/guides/how-to-choose", "statusCode": 200,
    "title": "How to choose", "metaDescription": "What to look for, and what to leave.",
    "h1": "How to choose", "wordCount": 640, "internalLinkCount": 12,
    "issues": ["MISSING_ALT_TEXT"], "scannedAt": "2025-11-20T08:00:00.000Z"}"#;

const PRODUCT: &str = r#"{"title": "Kettle", "description": "A kettle of steel, one and a half litres.",
    "seoTitle": "Kettle of steel", "seoDescription": "Boils within three minutes.",
    "lastSyncedAt": "2025-11-20T08:00:00.000Z"}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let projects: u32 = std::env::args().nth(1).unwrap_or_default().parse()?;
    let page: Page = serde_json::from_str(PAGE)?;
    let product: Product = serde_json::from_str(PRODUCT)?;
    let mut sum = 0;
    for _ in 0..projects {
        let mut tally = Tally::default();
        (0..30).for_each(|_| tally.add_page(&black_box(&page).facts()));
        (0..20).for_each(|_| tally.add_product(&black_box(&product).facts()));
        let score = Score::of(tally.signals(NOW_MS));
        sum += serde_json::to_string(&score.metadata())?.len();
    }
    println!("{projects} projects, {sum} bytes of metadata");
    Ok(())
}
