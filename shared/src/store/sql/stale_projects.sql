-- The next projects by id, each with whether its score is stale: there is none, it is more than $4 days
-- old, or there may be rows that it does not know.
--   $1 text     the last project already seen ('': from the first on)
--   $2 bigint   how many to look at
--   $3 text     the last project to look at (null: to the last one)
--   $4 integer  days (null: no score is too old)
--
-- All times are compared by the database's clock, with the moment at which the score's rows were read.
-- A row is stamped by whoever writes it, and is committed up to 15 minutes later: what is stamped
-- from 15 minutes before that moment on may be missing in the score. This ends with the next score
-- that is read later than 15 minutes after the stamp. A stamp more than 15 minutes in the future is
-- a wrong clock's or no date at all. It tells nothing before its time has come: else the project
-- would be stale until then, however often it is scored.
SELECT p.id,
    p."currentDeoScoreComputedAt" IS NULL
        OR coalesce(p."currentDeoScoreComputedAt" < n.now - make_interval(days => $4), false)
        OR EXISTS (SELECT 1 FROM "CrawlResult" c
            WHERE c."projectId" = p.id
                AND c."scannedAt" > p."currentDeoScoreComputedAt" - interval '15 minutes'
                AND c."scannedAt" <= n.now + interval '15 minutes')
        OR EXISTS (SELECT 1 FROM "Product" d
            WHERE d."projectId" = p.id
                AND d."lastSyncedAt" > p."currentDeoScoreComputedAt" - interval '15 minutes'
                AND d."lastSyncedAt" <= n.now + interval '15 minutes')
FROM (SELECT id, "currentDeoScoreComputedAt" FROM "Project" WHERE id > $1 AND ($3 IS NULL OR id <= $3)
    ORDER BY id LIMIT $2) AS p
CROSS JOIN (SELECT now() AT TIME ZONE 'UTC' AS now) AS n
ORDER BY p.id
