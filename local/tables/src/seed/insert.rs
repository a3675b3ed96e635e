//! One statement a table and a step: columns go over as arrays. Rows that are there stay.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{Client, Error};

use super::Plan;
use super::invent::{Page, Product, Shop};

const USER: &str = r#"
    INSERT INTO "User" (id, email, password, name, role, "createdAt", "updatedAt")
    VALUES ($1, $1 || '@example.com', 'cannot log in', 'Demo', 'USER', $2, $2)
    ON CONFLICT DO NOTHING"#;

const PROJECTS: &str = r#"
    INSERT INTO "Project" (id, "userId", name, domain, "createdAt")
    SELECT id, $1, name, domain, at FROM unnest($2, $3, $4, $5) AS i (id, name, domain, at)
    ON CONFLICT DO NOTHING"#;

const PAGES: &str = r#"
    INSERT INTO "CrawlResult" (id, "projectId", url, "statusCode", title, "metaDescription", h1,
        "wordCount", "loadTimeMs", issues, "scannedAt")
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT DO NOTHING"#;

const PRODUCTS: &str = r#"
    INSERT INTO "Product" (id, "projectId", "externalId", title, description, "seoTitle",
        "seoDescription", "imageUrls", "lastSyncedAt")
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING"#;

type Params<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

pub(super) async fn user(client: &Client, plan: &Plan) -> Result<u64, Error> {
    let params: Params<'_> =
        &[(&plan.user_id(), Type::TEXT), (&time(plan.now_ms), Type::TIMESTAMP)];
    execute(client, USER, params).await
}

pub(super) async fn projects(client: &Client, plan: &Plan, shops: &[Shop]) -> Result<u64, Error> {
    let column = |of: fn(&Shop) -> &str| -> Vec<&str> { shops.iter().map(of).collect() };
    let at: Vec<SystemTime> = shops.iter().map(|shop| time(shop.created_at_ms)).collect();
    let params: Params<'_> = &[
        (&plan.user_id(), Type::TEXT),
        (&column(|shop| &shop.id), Type::TEXT_ARRAY),
        (&column(|shop| &shop.name), Type::TEXT_ARRAY),
        (&column(|shop| &shop.domain), Type::TEXT_ARRAY),
        (&at, Type::TIMESTAMP_ARRAY),
    ];
    execute(client, PROJECTS, params).await
}

pub(super) async fn pages(client: &Client, shops: &[Shop]) -> Result<u64, Error> {
    let rows: Vec<(&str, &Page)> =
        shops.iter().flat_map(|shop| shop.pages.iter().map(|row| (&*shop.id, row))).collect();
    let column = |of: fn(&Page) -> Option<&str>| -> Vec<Option<&str>> {
        rows.iter().map(|(_, row)| of(row)).collect()
    };
    let numbers = |of: fn(&Page) -> Option<i32>| -> Vec<Option<i32>> {
        rows.iter().map(|(_, row)| of(row)).collect()
    };
    let projects: Vec<&str> = rows.iter().map(|(project, _)| *project).collect();
    let issues: Vec<Json<&Value>> = rows.iter().map(|(_, row)| Json(&row.issues)).collect();
    let at: Vec<SystemTime> = rows.iter().map(|(_, row)| time(row.scanned_at_ms)).collect();
    let params: Params<'_> = &[
        (&column(|row| Some(&row.id)), Type::TEXT_ARRAY),
        (&projects, Type::TEXT_ARRAY),
        (&column(|row| Some(&row.url)), Type::TEXT_ARRAY),
        (&numbers(|row| Some(row.status)), Type::INT4_ARRAY),
        (&column(|row| row.title.as_deref()), Type::TEXT_ARRAY),
        (&column(|row| row.meta_description.as_deref()), Type::TEXT_ARRAY),
        (&column(|row| row.h1.as_deref()), Type::TEXT_ARRAY),
        (&numbers(|row| row.word_count), Type::INT4_ARRAY),
        (&numbers(|row| row.load_time_ms), Type::INT4_ARRAY),
        (&issues, Type::JSONB_ARRAY),
        (&at, Type::TIMESTAMP_ARRAY),
    ];
    execute(client, PAGES, params).await
}

pub(super) async fn products(client: &Client, shops: &[Shop]) -> Result<u64, Error> {
    let rows: Vec<(&str, &Product)> =
        shops.iter().flat_map(|shop| shop.products.iter().map(|row| (&*shop.id, row))).collect();
    let column = |of: fn(&Product) -> Option<&str>| -> Vec<Option<&str>> {
        rows.iter().map(|(_, row)| of(row)).collect()
    };
    let projects: Vec<&str> = rows.iter().map(|(project, _)| *project).collect();
    let images: Vec<Option<Json<&Value>>> =
        rows.iter().map(|(_, row)| row.image_urls.as_ref().map(Json)).collect();
    let at: Vec<SystemTime> = rows.iter().map(|(_, row)| time(row.last_synced_at_ms)).collect();
    let params: Params<'_> = &[
        (&column(|row| Some(&row.id)), Type::TEXT_ARRAY),
        (&projects, Type::TEXT_ARRAY),
        (&column(|row| Some(&row.external_id)), Type::TEXT_ARRAY),
        (&column(|row| Some(&row.title)), Type::TEXT_ARRAY),
        (&column(|row| row.description.as_deref()), Type::TEXT_ARRAY),
        (&column(|row| row.seo_title.as_deref()), Type::TEXT_ARRAY),
        (&column(|row| row.seo_description.as_deref()), Type::TEXT_ARRAY),
        (&images, Type::JSONB_ARRAY),
        (&at, Type::TIMESTAMP_ARRAY),
    ];
    execute(client, PRODUCTS, params).await
}

async fn execute(client: &Client, statement: &str, params: Params<'_>) -> Result<u64, Error> {
    client.execute_typed(statement, params).await
}

/// The library reads a time as UTC where the column has no time zone.
fn time(ms: i64) -> SystemTime {
    let distance = Duration::from_millis(ms.unsigned_abs());
    if ms < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance }
}
