//! Tells what of the platform's tables does not fit [our needs](super::needs), in sentences: a drain would fail
//! on it, every time.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::needs::{COLUMNS, Column, MEMBERS};

/// Things of a table's name that are none. On these tables there have to be indexes, or locks of rows.
const KINDS: &str = r#"
    SELECT format('"%s" is a %s, not a table: let DATABASE_URL lead to the schema (schema=) or the database '
        'that has the table itself', c.relname,
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'f' THEN 'foreign table' ELSE 'relation of another kind' END)
    FROM unnest($1) AS w (tab) JOIN pg_class c ON c.oid = to_regclass(quote_ident(w.tab))
    WHERE c.relkind NOT IN ('r', 'p') ORDER BY 1"#;

/// Columns that are not there, of another type, or too short, in tables that are there. A domain counts as what
/// it is made of.
const UNFIT_COLUMNS: &str = r#"
    WITH RECURSIVE wanted AS (
        SELECT w.*, to_regclass(quote_ident(w.tab)) AS oid
        FROM unnest($1, $2, $3, $4, $5) AS w (tab, col, types, least, written)
    ),
    found AS (
        SELECT w.tab, w.col, w.types, w.least, w.written, a.attnum, a.attgenerated, a.atttypid AS type,
            a.atttypmod AS typmod
        FROM wanted w
        LEFT JOIN pg_attribute a ON a.attrelid = w.oid AND a.attname = w.col AND a.attnum > 0
            AND NOT a.attisdropped
        WHERE w.oid IS NOT NULL
        UNION ALL
        SELECT f.tab, f.col, f.types, f.least, f.written, f.attnum, f.attgenerated, t.typbasetype,
            t.typtypmod
        FROM found f JOIN pg_type t ON t.oid = f.type AND t.typtype = 'd'
    ),
    base AS (
        SELECT f.*, regexp_replace(format_type(f.type, NULL), '^.*\.', '') AS name,
            CASE WHEN f.typmod < 0 THEN NULL
                WHEN f.type = 'character varying'::regtype THEN f.typmod - 4
                ELSE f.typmod END AS length
        FROM found f LEFT JOIN pg_type t ON t.oid = f.type
        WHERE t.typtype IS DISTINCT FROM 'd'
    )
    SELECT format('"%s"."%s" %s', b.tab, b.col, CASE
        WHEN b.attnum IS NULL THEN 'is missing'
        WHEN b.name !~ ('^(' || b.types || ')$')
            THEN 'is ' || b.name || ', not ' || replace(b.types, '|', ' or ')
        WHEN b.length < b.least
            THEN format('is %s, too short: it takes at least %s', format_type(b.type, b.typmod), b.least)
        ELSE 'is computed by the database, which lets nobody write it' END)
    FROM base b
    WHERE b.attnum IS NULL OR b.name !~ ('^(' || b.types || ')$') OR b.length < b.least
        OR (b.written AND b.attgenerated <> '')
    ORDER BY 1"#;

/// What keeps a snapshot from being stored though all columns are there. What only may is left out: what a trigger
/// that runs before each row is stored fills (a domain's NOT NULL is checked before that), and which rows a partial
/// index holds.
const UNFIT_SNAPSHOTS: &str = r#"
    WITH t AS (
        SELECT o.oid, EXISTS (SELECT 1 FROM pg_trigger g
            WHERE g.tgrelid = o.oid AND g.tgtype & 7 = 7 AND g.tgenabled IN ('O', 'A')) AS filled
        FROM (SELECT to_regclass('"DeoScoreSnapshot"')::oid AS oid) AS o
    ),
    columns AS (
        SELECT a.*, a.attname = ANY ($1) AS ours, d.oid IS NULL AND y.typdefault IS NULL AS no_default,
            a.attnotnull AND NOT filled OR y.typnotnull AS needs_value
        FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        JOIN pg_type y ON y.oid = a.atttypid
    ),
    uniques AS (
        SELECT i.*, n.relname, (
            SELECT array_agg(a.attname::text) FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
            LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE k.place <= i.indnkeyatts) AS keys
        FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class n ON n.oid = i.indexrelid
        WHERE i.indisunique AND i.indisvalid
    )
    SELECT format('"DeoScoreSnapshot"."%s" must have a value, and nobody gives it one: it needs a default, or '
        'to be nullable', attname)
    FROM columns WHERE NOT ours AND needs_value AND no_default AND attidentity = '' AND attgenerated = ''
    UNION ALL
    SELECT '"DeoScoreSnapshot" has no primary key or unique index on "id" alone that is checked at once (not '
        'DEFERRABLE), which tells whether a job was stored before'
    FROM t WHERE oid IS NOT NULL AND NOT EXISTS (SELECT 1 FROM uniques
        WHERE keys = '{id}' AND indimmediate AND indpred IS NULL)
    UNION ALL
    SELECT format('"DeoScoreSnapshot" has the unique index "%s" on (%s), so that a project could not have the '
        'same score twice', relname, array_to_string(keys, ', '))
    FROM uniques WHERE indpred IS NULL AND keys <@ array_remove(array_remove($1, 'id'), 'computedAt')
    UNION ALL
    SELECT format('"DeoScoreSnapshot"."projectId" is %s, shorter than "Project"."id"', format_type(s.atttypid, s.atttypmod))
    FROM columns s JOIN pg_attribute p ON p.attrelid = to_regclass('"Project"') AND p.attname = 'id'
    WHERE s.attname = 'projectId' AND s.atttypmod >= 0 AND (p.atttypmod < 0 OR p.atttypmod > s.atttypmod)
    ORDER BY 1"#;

/// Rights that the role of the connection lacks on what is there: on columns, and (as column '') on a whole table or a
/// schema. Who may not use a schema may not ask for a table in it by its name either.
const RIGHTS: &str = r#"
    WITH wanted AS (
        SELECT w.*, substring(w.tab FROM '^SCHEMA (.*)$') AS schema,
            CASE WHEN w.tab ~ '[. ]' THEN w.tab ELSE format('"%s"', w.tab) END AS name,
            CASE WHEN w.tab !~ '[. ]' THEN to_regclass(quote_ident(w.tab))::oid ELSE (
                SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE w.tab = n.nspname || '.' || c.relname) END AS oid
        FROM unnest($1, $2, $3) WITH ORDINALITY AS w (tab, col, privilege, place)
    ),
    lacking AS (
        SELECT format('all of %s: GRANT %s (%s)', w.name, w.privilege,
                string_agg(format('"%s"', w.col), ', ' ORDER BY w.place)) AS what,
            w.privilege, w.name, min(w.place) AS place
        FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attname = w.col
            AND a.attnum > 0 AND NOT a.attisdropped
        WHERE NOT has_column_privilege(a.attrelid, a.attnum, w.privilege)
        GROUP BY w.name, w.privilege
        UNION ALL
        SELECT format('%s: GRANT %s', w.name, w.privilege), w.privilege, w.name, w.place
        FROM wanted w
        WHERE w.col = '' AND NOT CASE WHEN w.schema IS NULL THEN has_table_privilege(w.oid, w.privilege)
            ELSE has_schema_privilege(to_regnamespace(quote_ident(w.schema))::oid, w.privilege) END
    )
    SELECT format('the role %I may not %s %s ON %s TO %I', current_user, privilege, what, name, current_user)
    FROM lacking ORDER BY place"#;

/// Every right that the role of the connection lacks for our statements.
pub(super) async fn rights(client: &Client) -> Result<Vec<String>, Error> {
    // Whoever may not read members takes them for strangers, and says so.
    let rights = COLUMNS
        .iter()
        .flat_map(|it| it.rights.iter().map(move |right| (it.table, it.name, *right)));
    missing_rights(client, &rights.collect::<Vec<_>>()).await
}

/// Every way in which the tables that are there do not fit, a sentence each.
pub(super) async fn unfit_tables(client: &Client) -> Result<Vec<String>, Error> {
    let of_rows: &[&str] = &["Project", "CrawlResult", "Product", "DeoScoreSnapshot"];
    let mut unfit = sentences(client, KINDS, &[(&of_rows, Type::TEXT_ARRAY)]).await?;

    let needs: Vec<&Column> = COLUMNS.iter().chain(&MEMBERS).collect();
    let tables: Vec<&str> = needs.iter().map(|it| it.table).collect();
    let names: Vec<&str> = needs.iter().map(|it| it.name).collect();
    let types: Vec<&str> = needs.iter().map(|it| it.types).collect();
    let least: Vec<i32> = needs.iter().map(|it| it.least).collect();
    let written: Vec<bool> =
        needs.iter().map(|it| it.rights.iter().any(|right| *right != "SELECT")).collect();
    let params: [(&(dyn ToSql + Sync), Type); 5] = [
        (&tables, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&types, Type::TEXT_ARRAY),
        (&least, Type::INT4_ARRAY),
        (&written, Type::BOOL_ARRAY),
    ];
    unfit.extend(sentences(client, UNFIT_COLUMNS, &params).await?);

    let given: Vec<&str> =
        needs.iter().filter(|it| it.rights.contains(&"INSERT")).map(|it| it.name).collect();
    unfit.extend(sentences(client, UNFIT_SNAPSHOTS, &[(&given, Type::TEXT_ARRAY)]).await?);
    Ok(unfit)
}

/// Which of these rights (table, column, privilege) the role of the connection lacks.
pub(super) async fn missing_rights(
    client: &Client,
    wanted: &[(&str, &str, &str)],
) -> Result<Vec<String>, Error> {
    let tables: Vec<&str> = wanted.iter().map(|it| it.0).collect();
    let columns: Vec<&str> = wanted.iter().map(|it| it.1).collect();
    let privileges: Vec<&str> = wanted.iter().map(|it| it.2).collect();
    let params: [(&(dyn ToSql + Sync), Type); 3] = [
        (&tables, Type::TEXT_ARRAY),
        (&columns, Type::TEXT_ARRAY),
        (&privileges, Type::TEXT_ARRAY),
    ];
    sentences(client, RIGHTS, &params).await
}

async fn sentences(
    client: &Client,
    query: &str,
    params: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<String>, Error> {
    let rows = client.query_typed(query, params).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
