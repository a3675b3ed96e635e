//! Questions to the database's catalog: what is there already.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

/// Which of these tables are not there.
const MISSING_TABLES: &str =
    "SELECT t FROM unnest($1) AS t WHERE to_regclass(quote_ident(t)) IS NULL";

/// Whether our schema has no such table.
const IS_GONE: &str = "
    SELECT EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspname = 'deo' AND NOT EXISTS (
        SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = $1))";

/// Whether a whole, valid index of this table begins with these columns. What an index only INCLUDEs is not what
/// it is ordered by.
const INDEX_EXISTS: &str = "
    SELECT EXISTS (
        SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            JOIN pg_am m ON m.oid = c.relam
        WHERE i.indrelid = to_regclass(quote_ident($1)) AND i.indisvalid AND i.indisready
            AND i.indpred IS NULL AND m.amname = 'btree'
            AND $2 = (
                SELECT array_agg(a.attname::text ORDER BY k.place)
                FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                WHERE k.place <= least(cardinality($2), i.indnkeyatts)))";

/// What has this name in the schema of this table: an index's statement (null for another thing), and whether it
/// is what a cut-off CREATE INDEX CONCURRENTLY of ours left behind, on these columns.
const NAMESAKE: &str = "
    SELECT CASE WHEN i.indexrelid IS NOT NULL THEN pg_get_indexdef(i.indexrelid) END,
        coalesce(NOT i.indisvalid AND i.indrelid = t.oid AND i.indnatts = cardinality($3)
            AND $3 = (
                SELECT array_agg(a.attname::text ORDER BY k.place)
                FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
                JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum), false)
    FROM pg_class t
    JOIN pg_class n ON n.relnamespace = t.relnamespace AND n.relname = $1
    LEFT JOIN pg_index i ON i.indexrelid = n.oid
    WHERE t.oid = to_regclass(quote_ident($2))";

/// Whether a table is partitioned: on that, no index is made concurrently.
const IS_PARTITIONED: &str = "
    SELECT EXISTS (SELECT 1 FROM pg_class
        WHERE oid = to_regclass(quote_ident($1)) AND relkind = 'p')";

/// Whether an index of this name is on this table.
const IS_INDEX_OF: &str = "
    SELECT EXISTS (SELECT 1 FROM pg_index i JOIN pg_class n ON n.oid = i.indexrelid
        WHERE i.indrelid = to_regclass(quote_ident($2)) AND n.relname = $1)";

/// What has an index's name already.
pub(super) enum Namesake {
    /// Nothing.
    None,
    /// What is left of our own attempt to make it.
    Remains,
    /// Something else: an index's statement, or `None` for another thing.
    Foreign(Option<String>),
}

pub(super) async fn schema_exists(client: &Client, schema: &str) -> Result<bool, Error> {
    client
        .query_typed_one(
            "SELECT to_regnamespace(quote_ident($1)) IS NOT NULL",
            &[(&schema, Type::TEXT)],
        )
        .await?
        .try_get(0)
}

pub(super) async fn missing_tables(client: &Client, tables: &[&str]) -> Result<Vec<String>, Error> {
    let rows = client.query_typed(MISSING_TABLES, &[(&tables, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Whether there is a schema `deo`, and no such table in it. Whoever may not use that schema sees it all the same.
pub(super) async fn is_gone(client: &Client, table: &str) -> Result<bool, Error> {
    client.query_typed_one(IS_GONE, &[(&table, Type::TEXT)]).await?.try_get(0)
}

pub(super) async fn index_exists(
    client: &Client,
    table: &str,
    columns: &[&str],
) -> Result<bool, Error> {
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&table, Type::TEXT), (&columns, Type::TEXT_ARRAY)];
    client.query_typed_one(INDEX_EXISTS, &params).await?.try_get(0)
}

pub(super) async fn namesake(
    client: &Client,
    name: &str,
    table: &str,
    columns: &[&str],
) -> Result<Namesake, Error> {
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&name, Type::TEXT), (&table, Type::TEXT), (&columns, Type::TEXT_ARRAY)];
    let rows = client.query_typed(NAMESAKE, &params).await?;
    let Some(row) = rows.first() else { return Ok(Namesake::None) };
    Ok(if row.try_get(1)? { Namesake::Remains } else { Namesake::Foreign(row.try_get(0)?) })
}

pub(super) async fn is_index_of(client: &Client, name: &str, table: &str) -> Result<bool, Error> {
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&name, Type::TEXT), (&table, Type::TEXT)];
    client.query_typed_one(IS_INDEX_OF, &params).await?.try_get(0)
}

pub(super) async fn is_partitioned(client: &Client, table: &str) -> Result<bool, Error> {
    client.query_typed_one(IS_PARTITIONED, &[(&table, Type::TEXT)]).await?.try_get(0)
}
