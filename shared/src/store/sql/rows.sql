-- Every row of a batch of projects, reduced to what counts for the score, in one statement: pages and
-- products are of one moment, and no long text crosses the wire.
--   $1 text[]  the projects' ids, each once
-- Rows come by project and then by id, in the order of bytes: sums of doubles depend on it.
--   ordinal    bigint     the project's place in $1, from 1
--   kind       smallint   0 the project exists, 1 a page, 2 a product
--   id         text       of pages and products
--   facts      smallint   bits: 1 title, 2 description, 4 h1,
--                         8 HTTP_ERROR, 16 FETCH_ERROR, 32 THIN_CONTENT, 64 malformed issues
--   status     integer    of pages
--   words      bigint     of pages as stored, of products counted here
--   url        text       of pages
--   at         timestamp  scanned or synced; of projects the moment of the read
--   links      text       of pages: their count of internal links, null where it is no number
-- The moment is now(), the beginning of the transaction, which is this statement alone: it begins with
-- the message Parse. The rows are those of the snapshot that Bind takes after that, so a row that is
-- not among them was committed later than the moment. statement_timestamp() would be the time of
-- the message Execute and clock_timestamp() later still: behind the snapshot.
SELECT r.ordinal, r.kind, r.id, r.facts, r.status, r.words, r.url, r.at, r.links
FROM (
    SELECT w.ordinal, 0::smallint AS kind, ''::text AS id, 0::smallint AS facts, 0 AS status,
        0::bigint AS words, NULL::text AS url, now() AT TIME ZONE 'UTC' AS at, NULL::text AS links
    FROM unnest($1) WITH ORDINALITY AS w (id, ordinal)
    JOIN "Project" p ON p.id = w.id

    UNION ALL
    SELECT w.ordinal, 1::smallint, c.id,
        ((coalesce(c.title, '') <> '')::int
            + 2 * (coalesce(c."metaDescription", '') <> '')::int
            + 4 * (coalesce(c.h1, '') <> '')::int
            -- The operator takes a string for an array of one, and an object for its keys.
            + CASE jsonb_typeof(c.issues)
                WHEN 'array' THEN 8 * (c.issues ? 'HTTP_ERROR')::int
                    + 16 * (c.issues ? 'FETCH_ERROR')::int
                    + 32 * (c.issues ? 'THIN_CONTENT')::int
                WHEN 'string' THEN 8 * (strpos(c.issues #>> '{}', 'HTTP_ERROR') > 0)::int
                    + 16 * (strpos(c.issues #>> '{}', 'FETCH_ERROR') > 0)::int
                    + 32 * (strpos(c.issues #>> '{}', 'THIN_CONTENT') > 0)::int
                WHEN 'object' THEN 64
                WHEN 'number' THEN 64
                WHEN 'boolean' THEN 64
                ELSE 0
            END)::smallint,
        c."statusCode", c."wordCount"::bigint, c.url, c."scannedAt", c.links
    FROM unnest($1) WITH ORDINALITY AS w (id, ordinal)
    -- Not every platform's table has the column "internalLinkCount". The name, which has no table
    -- before it, is looked up in the innermost query first: it is the column of "CrawlResult" where
    -- there is one, and else the null of the row "absent". So this is one statement for both, whatever
    -- becomes of the column while we run. A column of text is no count, whatever it holds.
    CROSS JOIN (SELECT NULL::text AS "internalLinkCount") AS absent
    CROSS JOIN LATERAL (
        SELECT p.id, p.url, p."statusCode", p.title, p."metaDescription", p.h1, p."wordCount", p.issues,
            p."scannedAt",
            CASE WHEN pg_typeof("internalLinkCount") IN ('smallint'::regtype, 'integer'::regtype,
                    'bigint'::regtype, 'real'::regtype, 'double precision'::regtype, 'numeric'::regtype)
                THEN "internalLinkCount"::text
            END AS links
        FROM "CrawlResult" p
        WHERE p."projectId" = w.id
    ) AS c

    UNION ALL
    SELECT counted.ordinal, 2::smallint, counted.id,
        ((counted.title ~ '[^\u0009-\u000d\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]')::int
            + 2 * (counted.words > 0)::int)::smallint,
        0, counted.words, NULL, counted.at, NULL
    -- Words are maximal runs of anything but ECMAScript's white space. All of that is made spaces, which
    -- only for texts beyond ASCII needs a regular expression, and a space is put in front: then every
    -- word has a space before it. Where no two spaces stand together there are as many words as
    -- spaces, but for one at the end, and to see how much shorter the text is without its spaces takes
    -- less than half as long as to split it. Bytes are searched several times as fast as characters.
    -- OFFSET 0 keeps each step from being computed more than once.
    FROM (
        SELECT spaced.ordinal, spaced.id, spaced.title, spaced.at,
            CASE WHEN position(decode('2020', 'hex') IN spaced.bytes) = 0
                THEN octet_length(spaced.description)
                    - octet_length(replace(spaced.description, ' ', ''))
                    - (get_byte(spaced.bytes, octet_length(spaced.bytes) - 1) = 32)::int
                ELSE num_nonnulls(VARIADIC string_to_array(spaced.description, ' ', ''))
            END::bigint AS words
        FROM (
            SELECT text.ordinal, text.id, text.title, text.at, text.description,
                convert_to(text.description, 'UTF8') AS bytes
            FROM (
                SELECT raw.ordinal, raw.id, raw.title, raw.at,
                    CASE WHEN octet_length(raw.description) = length(raw.description)
                        THEN raw.description
                        ELSE regexp_replace(raw.description,
                            '[\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]', ' ', 'g')
                    END AS description
                FROM (
                    SELECT w.ordinal, d.id, d."lastSyncedAt" AS at,
                        coalesce(d."seoTitle", d.title, '') COLLATE "C" AS title,
                        replace(replace(replace(replace(replace(
                            ' ' || coalesce(d."seoDescription", d.description, '') COLLATE "C",
                            chr(9), ' '), chr(10), ' '), chr(11), ' '), chr(12), ' '), chr(13), ' ')
                            AS description
                    FROM unnest($1) WITH ORDINALITY AS w (id, ordinal)
                    JOIN "Product" d ON d."projectId" = w.id
                    OFFSET 0
                ) AS raw
                OFFSET 0
            ) AS text
            OFFSET 0
        ) AS spaced
        OFFSET 0
    ) AS counted
) AS r
ORDER BY r.ordinal, r.kind, r.id COLLATE "C"
