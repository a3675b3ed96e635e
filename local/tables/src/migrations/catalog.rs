//! Questions to the database's catalog: what is there already.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::target::COLUMNS;

/// Which of these tables are not there.
const MISSING_TABLES: &str =
    "SELECT t FROM unnest($1) AS t WHERE to_regclass(quote_ident(t)) IS NULL";

/// Which of these columns are not there, or of a type that does not fit, in tables that are there.
const UNFIT_COLUMNS: &str = "
    SELECT format('\"%s\".\"%s\" %s', w.tab, w.col,
        CASE WHEN a.attname IS NULL THEN 'is missing'
            ELSE 'is ' || format_type(a.atttypid, NULL) || ', not ' || w.type END)
    FROM unnest($1, $2, $3) AS w (tab, col, type)
    LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(quote_ident(w.tab))
        AND a.attname = w.col AND NOT a.attisdropped
    WHERE to_regclass(quote_ident(w.tab)) IS NOT NULL
        AND (a.attname IS NULL OR format_type(a.atttypid, NULL) !~ ('^(' || w.type || ')$'))";

/// Whether a whole, valid index of this table begins with these columns.
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
                WHERE k.place <= cardinality($2)))";

/// Whether there is an index of this name that a cut-off CREATE INDEX CONCURRENTLY left behind.
const INVALID_INDEX: &str = "
    SELECT EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(quote_ident($1))
        AND NOT indisvalid)";

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

/// In words, a column each.
pub(super) async fn unfit_columns(client: &Client) -> Result<Vec<String>, Error> {
    let tables: Vec<&str> = COLUMNS.iter().map(|it| it.0).collect();
    let columns: Vec<&str> = COLUMNS.iter().map(|it| it.1).collect();
    let types: Vec<&str> = COLUMNS.iter().map(|it| it.2).collect();
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&tables, Type::TEXT_ARRAY), (&columns, Type::TEXT_ARRAY), (&types, Type::TEXT_ARRAY)];
    let rows = client.query_typed(UNFIT_COLUMNS, &params).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
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

pub(super) async fn is_invalid_index(client: &Client, name: &str) -> Result<bool, Error> {
    client.query_typed_one(INVALID_INDEX, &[(&name, Type::TEXT)]).await?.try_get(0)
}
